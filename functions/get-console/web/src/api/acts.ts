// What the API offers, and to whom. An act that the API does not have, or that the role does not permit, is not shown.

import { operations } from "./generated/operations";
import { type Role, useSession } from "./session";

const RANK: Record<string, number> = { none: 0, viewer: 1, operator: 2, owner: 3 };

/** The operation, such as `PATCH /tenants/{id}`, exists and a role may use it. */
function permitted(operation: string, role: Role): boolean {
    const described = (operations as Record<string, { role: string } | undefined>)[operation];
    return described !== undefined && (RANK[described.role] ?? 9) <= (RANK[role] ?? 0);
}

export function useMay(operation: string): boolean {
    const session = useSession();
    return session !== undefined && permitted(operation, session.role);
}
