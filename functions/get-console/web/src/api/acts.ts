// What the API offers, and to whom. An act that the role does not permit is not shown.

import { operations } from "./generated/operations";
import { type Role, useSession } from "./session";

/** The method and the path of an operation, such as `PATCH /tenants/{id}`. */
export type OperationName = keyof typeof operations;

const RANK: Record<Role | "none", number> = { none: 0, viewer: 1, operator: 2, owner: 3 };

export function useMay(operation: OperationName): boolean {
    const session = useSession();
    return session !== undefined && RANK[operations[operation].role] <= RANK[session.role];
}
