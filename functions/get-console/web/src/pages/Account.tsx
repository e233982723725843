import { useState } from "react";

import { api, body } from "../api/client";
import { lifetimeOf } from "../api/renewal";
import { setSession, useSession } from "../api/session";
import { announce } from "../ui/announce";
import { Button } from "../ui/Button";
import { Page } from "../ui/Page";
import { Badge, Card, Facts, Id, Time } from "../ui/data";
import { Input, errorOf } from "../ui/form";
import { ProblemNote } from "../ui/state";
import { useSubmit } from "../ui/useSubmit";

export function Account() {
    const session = useSession();
    const [form, setForm] = useState({ current: "", next: "", again: "" });
    const { busy, problem, submit } = useSubmit();
    if (!session) return null;
    const differs = form.again !== "" && form.again !== form.next;
    const change = () =>
        submit(async () => {
            const issued = await body(api.POST("/api/super-admin/auth/change-password", { body: { current_password: form.current, new_password: form.next } }));
            setSession({ ...session, token: issued.access_token, ...lifetimeOf(issued, Date.now()) });
            setForm({ current: "", next: "", again: "" });
            announce("The password is changed, and all other sessions have ended");
        });
    return (
        <Page title="Account">
            <div className="grid">
                <Card title="You">
                    <Facts
                        facts={[
                            ["E-mail", session.email],
                            ["Role", <Badge key="role" value={session.role} />],
                            ["Id", <Id key="id" value={session.id} />],
                            ["This session ends", <Time key="end" value={new Date(session.expiresAt).toISOString()} both />],
                            ["Until then", session.isOfProvider ? "The identity provider has set its end. It is not continued." : session.refreshAt === undefined ? "It has reached its maximum age, and is not continued." : "It is continued while this tab is open, until its maximum age."],
                        ]}
                    />
                    <p className="muted small">The token is in the memory of this tab only. A reload signs you out.</p>
                </Card>
                {!session.isOfProvider && (
                    <Card title="Change your password">
                        <form
                            className="form"
                            onSubmit={(event) => {
                                event.preventDefault();
                                if (!differs) void change();
                            }}
                        >
                            <Input label="Current password" type="password" autoComplete="current-password" required value={form.current} error={errorOf(problem, "/current_password")} onChange={(event) => setForm({ ...form, current: event.target.value })} />
                            <Input label="New password" type="password" autoComplete="new-password" required minLength={12} value={form.next} error={errorOf(problem, "/new_password")} onChange={(event) => setForm({ ...form, next: event.target.value })} />
                            <Input label="New password again" type="password" autoComplete="new-password" required value={form.again} error={differs ? "The two passwords differ" : undefined} onChange={(event) => setForm({ ...form, again: event.target.value })} />
                            <p className="hint">All your other sessions end.</p>
                            {problem && <ProblemNote problem={problem} />}
                            <div className="actions">
                                <Button type="submit" kind="primary" busy={busy}>
                                    Change the password
                                </Button>
                            </div>
                        </form>
                    </Card>
                )}
            </div>
        </Page>
    );
}
