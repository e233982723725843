import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { type Schemas, api, body, tagged } from "../../api/client";
import { changeInLists, forgetLists } from "../../api/lists";
import { useRenew } from "../../api/useRenew";
import { announce } from "../../ui/announce";
import { FormDialog } from "../../ui/FormDialog";
import { Area, Input, errorOf } from "../../ui/form";
import { useResource } from "../../ui/useResource";
import { useSubmit } from "../../ui/useSubmit";

type User = Schemas["User"];

interface Props {
    tenantId: string;
    /** As it is in the list. */
    user: User;
    onClose: () => void;
}

/** Erases the personal data of a user for good, also from what this page has read. */
export function EraseUser({ tenantId, user: listed, onClose }: Props) {
    const path = { id: tenantId, user_id: listed.id };
    const current = useResource(["user", tenantId, listed.id], (signal) => tagged(api.GET("/api/super-admin/tenants/{id}/users/{user_id}", { params: { path }, signal })));
    const user = current.data ?? listed;
    const queries = useQueryClient();
    const renew = useRenew();
    const { busy, problem, submit, setProblem } = useSubmit();
    const [reason, setReason] = useState("");
    const [typed, setTyped] = useState("");
    const request: Schemas["ErasureRequest"] = { reason };
    const erase = async () => {
        const { done } = await submit(async () => {
            const erased = await body(api.POST("/api/super-admin/tenants/{id}/users/{user_id}/erase", { params: { path, header: current.header }, body: request }));
            changeInLists<User>(queries, "users", erased.id, () => erased);
        });
        if (!done) return;
        onClose();
        announce("The personal data of the user are erased");
        await Promise.all([forgetLists(queries, "found-users"), renew("users", "impersonations", "audit")]);
    };
    return (
        <FormDialog
            title={`Erase ${user.email}`}
            onClose={onClose}
            onSubmit={() => void erase()}
            action="Erase the personal data"
            kind="danger"
            busy={busy}
            disabled={!current.data || typed.trim() !== user.email}
            {...current.problemOf(problem, () => setProblem(null))}
            request={{ operation: "POST /tenants/{id}/users/{user_id}/erase", ids: [tenantId, listed.id], body: { ...request }, headers: current.header }}
        >
            <p>What happens:</p>
            <ul className="consequences">
                <li>The name, the e-mail address and the password are removed from every database of the platform, also from the audit log.</li>
                <li>The user is deactivated and signed out everywhere; impersonations of the user end. The seat is free.</li>
                <li>The services receive the event user.erased, and erase what they hold.</li>
                <li>The id, the role and the history stay, without the person. Backups, exports and old events end with their retention.</li>
                <li>Nobody can undo it, and the user cannot be changed any more.</li>
            </ul>
            <Area label="Reason" required minLength={10} maxLength={500} value={reason} error={errorOf(problem, "/reason")} hint="At least 10 characters, without personal data, such as the number of the request. The tenant's admins can read it." onChange={(event) => setReason(event.target.value)} />
            <Input label={`Type ${user.email} to confirm`} value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" spellCheck={false} />
        </FormDialog>
    );
}
