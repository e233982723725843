import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";

import { type Schemas, type Tagged, api, tagged } from "../../api/client";
import { useRenew } from "../../api/useRenew";
import { isOver } from "./kinds";

type Operation = Schemas["Operation"];

export function useOperation(id: string) {
    const queries = useQueryClient();
    const renew = useRenew();
    const key = ["operation", id];
    const read = useQuery({
        queryKey: key,
        // An operation that did not change since is not sent again.
        queryFn: ({ signal }) => {
            const before = queries.getQueryData<Tagged<Operation>>(key);
            return tagged(api.GET("/api/super-admin/operations/{id}", { params: { path: { id }, header: before && { "if-none-match": before.etag } }, signal }), before);
        },
        refetchInterval: (state) => (state.state.data && isOver(state.state.data.data) ? 15_000 : 1_000),
    });
    const operation = read.data?.data;
    const over = operation && isOver(operation);
    // What the operation changes is shown elsewhere, too.
    useEffect(() => {
        if (over) void renew("tenant", "tenants", "operations");
    }, [over, renew]);
    return read;
}
