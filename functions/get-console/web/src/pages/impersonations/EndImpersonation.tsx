import { api, body, tagged } from "../../api/client";
import { useRenew } from "../../api/useRenew";
import { Act } from "../../ui/Act";

interface Props {
    id: string;
    email: string;
    live?: boolean;
    ended?: () => void;
}

export function EndImpersonation({ id, email, live = true, ended }: Props) {
    const renew = useRenew();
    const path = { id };
    return (
        <Act
            available={live}
            name="End now"
            title={`End the impersonation of ${email}`}
            kind="danger"
            consequences={["Services refuse its token within a second.", "The tenant's record and the audit log show who ended it."]}
            request={{ operation: "DELETE /impersonations/{id}", ids: [id] }}
            revision={async () => (await tagged(api.GET("/api/super-admin/impersonations/{id}", { params: { path } }))).etag}
            act={async (header) => {
                await body(api.DELETE("/api/super-admin/impersonations/{id}", { params: { path, header } }));
                await renew("impersonations", "audit");
                ended?.();
            }}
            done="The impersonation has ended"
        />
    );
}
