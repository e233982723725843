import { type ReactNode, useState } from "react";

import { useMay } from "../api/acts";
import type { Request } from "../api/curl";
import { type Problem, fromFailure } from "../api/problem";
import { announce } from "./announce";
import { Button } from "./Button";
import { CopyAsCurl } from "./Copy";
import { Dialog } from "./Dialog";
import { Input } from "./form";
import { ProblemNote } from "./state";

interface Props {
    /** `PATCH /tenants/{id}`: without it in the API, or without the role, the button is not shown. */
    operation: string;
    /** The text of the button, and of the dialog. */
    name: string;
    title?: string;
    kind?: "plain" | "danger" | "primary";
    /** What will happen. */
    consequences: ReactNode[];
    /** To be typed before. */
    confirm?: string;
    children?: ReactNode;
    request: Request;
    act: () => Promise<unknown>;
    done: string;
    ready?: boolean;
}

/** A button, and a dialog that explains the act before it does it. */
export function Act({ operation, name, title, kind = "plain", consequences, confirm, children, request, act, done, ready = true }: Props) {
    const may = useMay(operation);
    const [open, setOpen] = useState(false);
    const [typed, setTyped] = useState("");
    const [busy, setBusy] = useState(false);
    const [problem, setProblem] = useState<Problem | null>(null);
    if (!may) return null;
    const confirmed = !confirm || typed.trim() === confirm;
    const run = async () => {
        setBusy(true);
        setProblem(null);
        try {
            await act();
            setOpen(false);
            setTyped("");
            announce(done);
        } catch (failure) {
            setProblem(fromFailure(failure));
        } finally {
            setBusy(false);
        }
    };
    return (
        <>
            <Button kind={kind === "danger" ? "danger" : kind} onClick={() => setOpen(true)}>
                {name}
            </Button>
            <Dialog open={open} onClose={() => setOpen(false)} title={title ?? name}>
                <form
                    onSubmit={(event) => {
                        event.preventDefault();
                        if (confirmed && ready && !busy) void run();
                    }}
                >
                    <p>What happens:</p>
                    <ul className="consequences">
                        {consequences.map((consequence, index) => (
                            <li key={index}>{consequence}</li>
                        ))}
                    </ul>
                    {children}
                    {confirm && (
                        <Input label={`Type ${confirm} to confirm`} value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" spellCheck={false} />
                    )}
                    {problem && <ProblemNote problem={problem} />}
                    <div className="actions">
                        <Button type="submit" kind={kind === "danger" ? "danger" : "primary"} busy={busy} disabled={!confirmed || !ready}>
                            {name}
                        </Button>
                        <Button onClick={() => setOpen(false)}>Cancel</Button>
                        <CopyAsCurl request={request} />
                    </div>
                </form>
            </Dialog>
        </>
    );
}
