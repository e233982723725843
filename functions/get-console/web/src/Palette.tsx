import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useState } from "react";

import { useMay } from "./api/acts";
import { api, body } from "./api/client";
import { PLACES } from "./Layout";
import { MIN_SEARCH } from "./pages/userSearch";
import { Dialog } from "./ui/Dialog";
import { ProblemNote } from "./ui/state";

interface Target {
    name: string;
    note: string;
    go: () => void;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A text without the spaces around it, as it was when its typing last paused. */
function usePaused(text: string, milliseconds: number): string {
    const [paused, setPaused] = useState("");
    useEffect(() => {
        const timer = setTimeout(() => setPaused(text.trim()), milliseconds);
        return () => clearTimeout(timer);
    }, [text, milliseconds]);
    return paused;
}

/** Finds pages, actions, tenants by name, slug or id, users by name or e-mail address, and operations by id. */
export function Palette({ onClose }: { onClose: () => void }) {
    const navigate = useNavigate();
    const id = useId();
    const [typed, setTyped] = useState("");
    const text = usePaused(typed, 150);
    // Each search for people is recorded in the audit log, so that it waits for a longer pause.
    const person = usePaused(typed, 400);
    const [chosen, setChosen] = useState(0);
    const mayCreate = useMay("POST /tenants");
    const mayFindUsers = useMay("GET /users/search");
    const isId = UUID.test(text);
    const isSearch = (query: string) => query.length > 1 && !UUID.test(query);
    const tenants = useQuery({
        queryKey: ["palette", text],
        enabled: isSearch(text),
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/tenants", { params: { query: { search: text, limit: 8 } }, signal })),
    });
    const isPerson = (query: string) => mayFindUsers && query.length >= MIN_SEARCH && !UUID.test(query);
    const users = useQuery({
        queryKey: ["found-users", "palette", person],
        enabled: isPerson(person),
        queryFn: ({ signal }) => body(api.GET("/api/super-admin/users/search", { params: { query: { search: person, limit: 5 } }, signal })),
    });
    const leave = (go: () => void) => () => {
        onClose();
        go();
    };
    const word = typed.trim().toLowerCase();
    const acts: Target[] = mayCreate ? [{ name: "Create a tenant", note: "action", go: leave(() => void navigate({ to: "/tenants/new" })) }] : [];
    const pages: Target[] = PLACES.map(({ to, name }) => ({ name, note: "page", go: leave(() => void navigate({ to })) }));
    const fixed = [...pages, ...acts, { name: "Account", note: "page", go: leave(() => void navigate({ to: "/account" })) }].filter(({ name }) => name.toLowerCase().includes(word));
    const found: Target[] = isId
        ? [
              { name: `Tenant ${text}`, note: "by id", go: leave(() => void navigate({ to: "/tenants/$id", params: { id: text } })) },
              { name: `Operation ${text}`, note: "by id", go: leave(() => void navigate({ to: "/operations/$id", params: { id: text } })) },
          ]
        : (isSearch(text) ? (tenants.data ?? []) : []).map((tenant) => ({ name: tenant.name, note: `tenant ${tenant.slug}, ${tenant.status}`, go: leave(() => void navigate({ to: "/tenants/$id", params: { id: tenant.id } })) }));
    const people: Target[] = (isPerson(person) && isPerson(typed.trim()) ? (users.data ?? []) : []).map(({ user, tenant }) => ({
        name: `${user.full_name}, ${user.email}`,
        note: `user of ${tenant.slug}, ${user.status}`,
        go: leave(() => void navigate({ to: "/tenants/$id/users", params: { id: tenant.id }, search: { user: user.id } })),
    }));
    const targets = [...fixed, ...found, ...people];
    // The typed text is searched for when its typing pauses.
    const isSearching = (isSearch(typed.trim()) && (typed.trim() !== text || tenants.isFetching)) || (isPerson(typed.trim()) && (typed.trim() !== person || users.isFetching));
    const failed = [tenants, users].find(({ error }) => error);
    const at = Math.min(chosen, targets.length - 1);
    const keys = (event: KeyboardEvent) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step && targets.length > 0) {
            event.preventDefault();
            setChosen((at + step + targets.length) % targets.length);
        } else if (event.key === "Enter") {
            event.preventDefault();
            targets[at]?.go();
        }
    };
    return (
        <Dialog open onClose={onClose} title="Go to">
            <div className="palette">
                <input
                    role="combobox"
                    aria-label="Page, action, tenant, user, or id"
                    aria-expanded="true"
                    aria-controls={`${id}-list`}
                    aria-activedescendant={targets.length > 0 ? `${id}-${at}` : undefined}
                    autoComplete="off"
                    spellCheck={false}
                    placeholder="A page, an action, a tenant, a user, or an id"
                    maxLength={120}
                    value={typed}
                    onChange={(event) => {
                        setTyped(event.target.value);
                        setChosen(0);
                    }}
                    onKeyDown={keys}
                    autoFocus
                />
                <ul className="palette-results" role="listbox" id={`${id}-list`} aria-label="Results">
                    {targets.map((target, index) => (
                        <li key={`${target.note}${target.name}${index}`} id={`${id}-${index}`} role="option" aria-selected={index === at} className="palette-result" onClick={target.go}>
                            <bdi>{target.name}</bdi> <span className="muted push">{target.note}</span>
                        </li>
                    ))}
                </ul>
                {/* Always in the document, so that a screen reader announces what appears in it. */}
                <p className="muted" role="status">
                    {isSearching ? "Searching…" : targets.length === 0 && !failed ? "Nothing found" : ""}
                </p>
                {failed && !isSearching && <ProblemNote problem={failed.error} retry={() => void failed.refetch()} />}
            </div>
        </Dialog>
    );
}
