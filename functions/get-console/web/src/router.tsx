// The URLs of the console. Filters are in the search part, so that each state has a URL; secrets and personal data never are.

import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { Layout } from "./Layout";
import { Missing } from "./pages/Missing";
import { ProblemNote } from "./ui/state";

type Search = Record<string, unknown>;

/** Keeps the named parameters that have a value. */
const only =
    <K extends string>(...names: K[]) =>
    (search: Search): { [N in K]?: string } => {
        const kept: { [N in K]?: string } = {};
        for (const name of names) {
            const value = search[name];
            if (value !== undefined && value !== null && value !== "") kept[name] = String(value);
        }
        return kept;
    };

const root = createRootRoute({
    component: Layout,
    notFoundComponent: Missing,
    errorComponent: ({ error, reset }) => <ProblemNote problem={error} retry={reset} />,
});

const at = <P extends string>(path: P) => ({ getParentRoute: () => root, path });

const overview = createRoute({ ...at("/"), component: lazyRouteComponent(() => import("./pages/overview/Overview"), "Overview") });
const tenants = createRoute({
    ...at("/tenants"),
    validateSearch: only("status", "country", "search", "sort", "over_limit", "hidden"),
    component: lazyRouteComponent(() => import("./pages/tenants/Tenants"), "Tenants"),
});
const newTenant = createRoute({ ...at("/tenants/new"), component: lazyRouteComponent(() => import("./pages/tenants/NewTenant"), "NewTenant") });
const tenant = createRoute({ ...at("/tenants/$id"), component: lazyRouteComponent(() => import("./pages/tenant/Tenant"), "Tenant") });
const inTenant = <P extends string>(path: P) => ({ getParentRoute: () => tenant, path });
const tenantOverview = createRoute({ ...inTenant("/"), validateSearch: only("figure", "days"), component: lazyRouteComponent(() => import("./pages/tenant/Summary"), "Summary") });
const tenantOperations = createRoute({ ...inTenant("/operations"), component: lazyRouteComponent(() => import("./pages/tenant/Operations"), "TenantOperations") });
const tenantExports = createRoute({ ...inTenant("/exports"), component: lazyRouteComponent(() => import("./pages/exports/Exports"), "Exports") });
const tenantExport = createRoute({ ...inTenant("/exports/$exportId"), component: lazyRouteComponent(() => import("./pages/exports/Export"), "ExportPage") });
const tenantUsers = createRoute({
    ...inTenant("/users"),
    validateSearch: only("role", "status", "user"),
    component: lazyRouteComponent(() => import("./pages/tenant/Users"), "TenantUsers"),
});
const tenantImpersonations = createRoute({ ...inTenant("/impersonations"), component: lazyRouteComponent(() => import("./pages/tenant/Impersonations"), "TenantImpersonations") });
const tenantAudit = createRoute({
    ...inTenant("/audit"),
    validateSearch: only("action", "outcome", "since", "until"),
    component: lazyRouteComponent(() => import("./pages/tenant/Audit"), "TenantAudit"),
});
const users = createRoute({
    ...at("/users"),
    validateSearch: only("role", "status"),
    component: lazyRouteComponent(() => import("./pages/Users"), "Users"),
});
const impersonations = createRoute({
    ...at("/impersonations"),
    validateSearch: only("live"),
    component: lazyRouteComponent(() => import("./pages/impersonations/Impersonations"), "Impersonations"),
});
const health = createRoute({ ...at("/health"), validateSearch: only("component", "hours"), component: lazyRouteComponent(() => import("./pages/health/Health"), "Health") });
const operations = createRoute({
    ...at("/operations"),
    validateSearch: only("status", "kind", "stuck", "since"),
    component: lazyRouteComponent(() => import("./pages/operations/Operations"), "Operations"),
});
const operation = createRoute({ ...at("/operations/$id"), component: lazyRouteComponent(() => import("./pages/operations/Operation"), "OperationPage") });
const deadLetters = createRoute({ ...at("/dead-letters"), component: lazyRouteComponent(() => import("./pages/DeadLetters"), "DeadLetters") });
const reconciliations = createRoute({ ...at("/reconciliations"), component: lazyRouteComponent(() => import("./pages/Reconciliations"), "Reconciliations") });
const reconciliation = createRoute({
    ...at("/reconciliations/$id"),
    validateSearch: only("kind"),
    component: lazyRouteComponent(() => import("./pages/Reconciliation"), "ReconciliationPage"),
});
const clusters = createRoute({ ...at("/clusters"), component: lazyRouteComponent(() => import("./pages/Clusters"), "Clusters") });
const audit = createRoute({
    ...at("/audit"),
    validateSearch: only("action", "outcome", "since", "until", "tenant_id"),
    component: lazyRouteComponent(() => import("./pages/Audit"), "Audit"),
});
const admins = createRoute({
    ...at("/admins"),
    validateSearch: only("role", "status"),
    component: lazyRouteComponent(() => import("./pages/Admins"), "Admins"),
});
const settings = createRoute({ ...at("/settings"), validateSearch: only("changed"), component: lazyRouteComponent(() => import("./pages/Settings"), "Settings") });
const account = createRoute({ ...at("/account"), component: lazyRouteComponent(() => import("./pages/Account"), "Account") });

export const router = createRouter({
    routeTree: root.addChildren([
        overview,
        tenants,
        newTenant,
        tenant.addChildren([tenantOverview, tenantOperations, tenantExports, tenantExport, tenantUsers, tenantImpersonations, tenantAudit]),
        users,
        impersonations,
        health,
        operations,
        operation,
        deadLetters,
        reconciliations,
        reconciliation,
        clusters,
        audit,
        admins,
        settings,
        account,
    ]),
    basepath: "/console",
    defaultPreload: "intent",
    // The page of another tenant or operation is another page: no text, choice or dialog of this one is kept.
    defaultRemountDeps: ({ params }) => params,
    // Parameters as plain text, so that URLs can be read and typed.
    parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
    stringifySearch: (search) => {
        const parameters = new URLSearchParams();
        for (const [name, value] of Object.entries(search)) if (value !== undefined && value !== "") parameters.set(name, String(value));
        const query = parameters.toString();
        return query ? `?${query}` : "";
    },
});

declare module "@tanstack/react-router" {
    interface Register {
        router: typeof router;
    }
}
