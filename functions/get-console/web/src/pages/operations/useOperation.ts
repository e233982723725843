import { useEffect } from "react";

import { type Schemas, type Tagged, api } from "../../api/client";
import { followed } from "../../api/polling";
import { useRenew } from "../../api/useRenew";
import { useTagged } from "../../api/useTagged";
import { isOver } from "./kinds";

export function useOperation(id: string) {
    const renew = useRenew();
    const read = useTagged(["operation", id], (header, signal) => api.GET("/api/super-admin/operations/{id}", { params: { path: { id }, header }, signal }), {
        refetchInterval: followed(1_000, (read: Tagged<Schemas["Operation"]>) => isOver(read.data)),
    });
    const operation = read.data?.data;
    const over = operation && isOver(operation);
    // What the operation changes is shown elsewhere, too.
    useEffect(() => {
        if (over) void renew("tenant", "tenants", "operations");
    }, [over, renew]);
    return read;
}
