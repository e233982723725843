import { Link, type LinkProps, Outlet, useRouterState } from "@tanstack/react-router";
import { Suspense, lazy, useEffect, useRef, useState } from "react";

import { setSession, useSession } from "./api/session";
import { Button } from "./ui/Button";
import { Icon, type IconName } from "./ui/Icon";
import { useOnline } from "./ui/useOnline";

const Palette = lazy(() => import("./Palette").then((module) => ({ default: module.Palette })));

interface Place {
    to: NonNullable<LinkProps["to"]>;
    name: string;
    icon: IconName;
}

export const PLACES: Place[] = [
    { to: "/", name: "Overview", icon: "overview" },
    { to: "/tenants", name: "Tenants", icon: "tenants" },
    { to: "/users", name: "Users", icon: "users" },
    { to: "/operations", name: "Operations", icon: "operations" },
    { to: "/impersonations", name: "Impersonations", icon: "impersonations" },
    { to: "/health", name: "Health", icon: "health" },
    { to: "/dead-letters", name: "Dead letters", icon: "dead-letters" },
    { to: "/reconciliations", name: "Reconciliations", icon: "reconciliations" },
    { to: "/clusters", name: "Clusters", icon: "clusters" },
    { to: "/audit", name: "Audit", icon: "audit" },
    { to: "/admins", name: "Super-admins", icon: "admins" },
    { to: "/settings", name: "Settings", icon: "settings" },
];

export function Layout() {
    const session = useSession();
    const [palette, setPalette] = useState(false);
    const [menu, setMenu] = useState(false);
    const path = useRouterState({ select: (state) => state.location.pathname });
    const main = useRef<HTMLElement>(null);
    const first = useRef(true);
    useEffect(() => {
        setMenu(false);
        // As after the load of a page, the next Tab begins at its start.
        if (!first.current) main.current?.focus();
        first.current = false;
    }, [path]);
    useEffect(() => {
        const keys = (event: KeyboardEvent) => {
            if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
                event.preventDefault();
                setPalette(true);
            }
        };
        window.addEventListener("keydown", keys);
        return () => window.removeEventListener("keydown", keys);
    }, []);
    const online = useOnline();
    return (
        <div className="shell">
            <a className="skip" href="#main">
                Skip to the content
            </a>
            <header className="top">
                <Button kind="ghost" className="button-icon menu-button" aria-label="Menu" aria-expanded={menu} aria-controls="places" onClick={() => setMenu(!menu)}>
                    <Icon name="menu" />
                </Button>
                <Link to="/" className="brand">
                    Landlord
                </Link>
                <Button className="palette-button" aria-label="Go to… Ctrl K" onClick={() => setPalette(true)}>
                    <Icon name="search" /> <span>Go to…</span> <kbd>Ctrl K</kbd>
                </Button>
                <Link to="/account" className="account" aria-label={`Account of ${session?.email ?? ""}, ${session?.role ?? ""}`}>
                    <Icon name="person" /> <span className="account-name">{session?.email}</span> <span className="muted">{session?.role}</span>
                </Link>
                <Button kind="ghost" onClick={() => setSession(undefined)}>
                    Sign out
                </Button>
            </header>
            <nav id="places" className={menu ? "places places-open" : "places"} aria-label="Pages">
                <ul>
                    {PLACES.map(({ to, name, icon }) => (
                        <li key={to}>
                            <Link to={to} activeOptions={{ exact: to === "/", includeSearch: false }} className="place" activeProps={{ "aria-current": "page" }}>
                                <Icon name={icon} /> {name}
                            </Link>
                        </li>
                    ))}
                    <li className="places-end">
                        <a className="place" href="/api/super-admin/docs">
                            <Icon name="docs" /> API reference
                        </a>
                    </li>
                </ul>
            </nav>
            <main id="main" className="main" ref={main} tabIndex={-1}>
                {!online && (
                    <div className="note note-warn" role="status">
                        <Icon name="warning" />
                        <p>
                            <span className="strong">Offline.</span> The figures are those of the last response. They are read again when the network is back.
                        </p>
                    </div>
                )}
                <Outlet />
            </main>
            {palette && (
                <Suspense>
                    <Palette onClose={() => setPalette(false)} />
                </Suspense>
            )}
        </div>
    );
}
