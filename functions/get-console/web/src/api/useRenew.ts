import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";

/** Reads again what is shown under the names, the first parts of keys of queries. */
export function useRenew() {
    const queries = useQueryClient();
    return useCallback((...names: string[]) => Promise.all(names.map((name) => queries.invalidateQueries({ queryKey: [name] }))), [queries]);
}
