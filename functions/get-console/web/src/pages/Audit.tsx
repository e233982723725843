import { useNavigate, useSearch } from "@tanstack/react-router";

import { Page } from "../ui/Page";
import { AuditLog } from "./AuditLog";

export function Audit() {
    const filter = useSearch({ from: "/audit" });
    const navigate = useNavigate({ from: "/audit" });
    return (
        <Page title="Audit">
            <AuditLog filter={filter} set={(change) => void navigate({ search: (before) => ({ ...before, ...change }) })} />
        </Page>
    );
}
