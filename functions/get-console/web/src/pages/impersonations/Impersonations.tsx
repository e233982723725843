import { useNavigate, useSearch } from "@tanstack/react-router";

import { Filters } from "../../ui/Filters";
import { Page } from "../../ui/Page";
import { Select } from "../../ui/form";
import { ImpersonationList } from "./ImpersonationList";

export function Impersonations() {
    const { live } = useSearch({ from: "/impersonations" });
    const navigate = useNavigate({ from: "/impersonations" });
    return (
        <Page title="Impersonations">
            <Filters>
                <Select
                    label="Show"
                    value={live ?? "true"}
                    options={[["true", "Live now"], ["false", "Ended"], ["all", "All"]]}
                    onChange={(event) => void navigate({ search: { live: event.target.value === "true" ? undefined : event.target.value } })}
                />
            </Filters>
            <ImpersonationList filter={live === "all" ? {} : { live: live !== "false" }} />
        </Page>
    );
}
