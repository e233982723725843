import { Link } from "@tanstack/react-router";

import { Page } from "../ui/Page";

export function Missing() {
    return (
        <Page title="This page does not exist">
            <p>
                The address may be from an older version. <Link to="/">Go to the overview</Link>.
            </p>
        </Page>
    );
}
