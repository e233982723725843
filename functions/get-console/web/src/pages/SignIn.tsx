import { useEffect, useState } from "react";

import { type Schemas, api, body } from "../api/client";
import { lifetimeOf } from "../api/renewal";
import { type Session, setSession } from "../api/session";
import { utc } from "../format";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Input } from "../ui/form";
import { ProblemNote } from "../ui/state";
import { useSubmit } from "../ui/useSubmit";
import { ProviderSignIn } from "./ProviderSignIn";

/** Starts a session with a token, after reading whose it is. */
async function begin(token: Pick<Schemas["IssuedToken"], "access_token" | "expires_in">): Promise<void> {
    const headers = { authorization: `Bearer ${token.access_token}` };
    const { id, email, role, signed_in_with } = await body(api.GET("/api/super-admin/auth/session", { headers }));
    const isOfProvider = signed_in_with === "identity_provider";
    const { expiresAt, refreshAt } = lifetimeOf(token, Date.now());
    setSession({ token: token.access_token, id, email: email ?? id, role, isOfProvider, expiresAt, refreshAt: isOfProvider ? undefined : refreshAt, ended: false });
}

function useSignIn(account = "", onDone?: () => void) {
    const [email, setEmail] = useState(account);
    const [password, setPassword] = useState("");
    const [next, setNext] = useState("");
    const [temporary, setTemporary] = useState<string>();
    const { busy, problem, setProblem, submit } = useSubmit();
    /** Forgets the passwords. */
    const reset = () => {
        setPassword("");
        setNext("");
        setTemporary(undefined);
        setProblem(null);
    };
    const run = () =>
        submit(async () => {
            if (temporary) {
                const headers = { authorization: `Bearer ${temporary}` };
                const change = { current_password: password, new_password: next };
                await begin(await body(api.POST("/api/super-admin/auth/change-password", { body: change, headers })));
            } else {
                const token = await body(api.POST("/api/super-admin/auth/login", { body: { email, password } }));
                if (token.must_change_password) return setTemporary(token.access_token);
                await begin(token);
            }
            reset();
            onDone?.();
        });
    return { email, setEmail, password, setPassword, next, setNext, temporary, busy, problem, run, reset };
}

function SignInForm({ form, readOnly = false }: { form: ReturnType<typeof useSignIn>; readOnly?: boolean }) {
    const [repeated, setRepeated] = useState("");
    const differs = form.temporary !== undefined && repeated !== "" && repeated !== form.next;
    return (
        <form
            className="sign-in-form"
            onSubmit={(event) => {
                event.preventDefault();
                if (!form.busy && !differs) void form.run();
            }}
        >
            {form.temporary === undefined ? (
                <>
                    <Input label="E-mail" type="email" autoComplete="username" required readOnly={readOnly} value={form.email} onChange={(event) => form.setEmail(event.target.value)} />
                    <Input label="Password" type="password" autoComplete="current-password" required value={form.password} onChange={(event) => form.setPassword(event.target.value)} />
                </>
            ) : (
                <>
                    <p>Somebody else has set this password. Choose your own; until then, nothing else is permitted.</p>
                    <Input label="New password" type="password" autoComplete="new-password" required value={form.next} error={form.problem?.ofField("/new_password")} onChange={(event) => form.setNext(event.target.value)} />
                    <Input label="New password again" type="password" autoComplete="new-password" required value={repeated} error={differs ? "The two passwords differ" : undefined} onChange={(event) => setRepeated(event.target.value)} />
                </>
            )}
            {form.problem && (form.problem.status === 401 && form.temporary === undefined ? <WrongPassword /> : <ProblemNote problem={form.problem} />)}
            <Button type="submit" kind="primary" busy={form.busy}>
                {form.temporary === undefined ? "Sign in" : "Set the password and sign in"}
            </Button>
        </form>
    );
}

const WrongPassword = () => (
    <div className="note note-danger" role="alert">
        <p>E-mail or password is wrong, or the account is disabled. After ten failed attempts, the account is blocked for this address for a few minutes.</p>
    </div>
);

export function SignIn() {
    const form = useSignIn();
    useEffect(() => {
        document.title = "Sign in · Landlord";
    }, []);
    return (
        <main className="sign-in">
            <h1>Landlord</h1>
            <p className="muted">Control plane of the platform. For super-admins.</p>
            <SignInForm form={form} />
            {form.temporary === undefined && <ProviderSignIn begin={begin} />}
        </main>
    );
}

/** How long before its end a session's end is announced, in milliseconds. */
const ANNOUNCED_BEFORE = 2 * 60_000;

/** Above the page, which keeps what was typed, when the session has ended or soon will. */
export function SignInAgain({ session }: { session: Session }) {
    const [asked, setAsked] = useState(false);
    // Only this closes the dialog: a token that was replaced silently must not take away what is typed in it.
    const form = useSignIn(session.email, () => setAsked(false));
    const [soon, setSoon] = useState(false);
    useEffect(() => {
        const check = () => {
            const left = session.expiresAt - Date.now();
            setSoon(left < ANNOUNCED_BEFORE);
            if (left <= 0 && !session.ended) setSession({ ...session, ended: true });
        };
        check();
        const timer = setInterval(check, 5_000);
        return () => clearInterval(timer);
    }, [session]);
    const close = () => {
        setAsked(false);
        form.reset();
    };
    return (
        <>
            {soon && !session.ended && (
                <div className="expiry" role="status">
                    Your session ends at {utc(new Date(session.expiresAt))}, {session.isOfProvider ? "as the identity provider has set" : session.refreshAt === undefined ? "because it has reached its maximum age" : "because it could not be continued so far"}.{" "}
                    <Button onClick={() => setAsked(true)}>Sign in again now</Button>
                </div>
            )}
            <Dialog open={session.ended || asked} onClose={close} title="Sign in again" persistent={session.ended || form.busy}>
                <p>{session.ended ? "Your session has ended. The page behind this, and what you typed there, is kept." : "The page behind this is kept."}</p>
                {session.isOfProvider ? <ProviderSignIn begin={async (token) => begin(token).then(() => setAsked(false))} /> : <SignInForm form={form} readOnly />}
                {session.ended && <Button kind="ghost" onClick={() => setSession(undefined)}>Sign out, and lose what was typed</Button>}
            </Dialog>
        </>
    );
}
