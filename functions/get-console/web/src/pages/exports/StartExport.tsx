import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { type Schemas, api, body } from "../../api/client";
import { useIdempotencyKey } from "../../api/useIdempotencyKey";
import { useRenew } from "../../api/useRenew";
import { Act } from "../../ui/Act";
import { Area, errorOf } from "../../ui/form";

/** Exports an active tenant. */
export function StartExport({ tenant }: { tenant: Pick<Schemas["Organization"], "id" | "slug" | "status"> }) {
    const renew = useRenew();
    const navigate = useNavigate();
    const { keyOf, forget } = useIdempotencyKey();
    const [reason, setReason] = useState("");
    const request: Schemas["ExportRequest"] = { reason };
    const path = { id: tenant.id };
    return (
        <Act
            available={tenant.status === "active"}
            name="Export"
            title={`Export ${tenant.slug}`}
            kind="primary"
            consequences={[
                "Both databases are copied to files in the bucket, each from one moment. Objects are listed, and not copied.",
                "The tenant works as usual meanwhile. A suspension or a deletion ends the export before it is complete.",
                "Owners can get links to the files, and restore them into another tenant, until the export expires.",
                "The files contain personal data of the tenant's customers.",
            ]}
            request={{ operation: "POST /tenants/{id}/exports", ids: [tenant.id], body: { ...request } }}
            act={async () => {
                const started = await body(api.POST("/api/super-admin/tenants/{id}/exports", { params: { path, header: { "idempotency-key": keyOf(request) } }, body: request }));
                forget();
                await renew("exports", "tenant", "operations", "audit");
                await navigate({ to: "/tenants/$id/exports/$exportId", params: { id: tenant.id, exportId: started.id } });
            }}
            done={`${tenant.slug} is being exported`}
            onClose={() => setReason("")}
        >
            {(problem) => <Area label="Reason" required minLength={10} maxLength={500} value={reason} error={errorOf(problem, "/reason")} hint="At least 10 characters, without personal data. The audit log contains it." onChange={(event) => setReason(event.target.value)} />}
        </Act>
    );
}
