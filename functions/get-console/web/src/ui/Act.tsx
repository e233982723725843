import { type ReactNode, useState } from "react";

import { useMay } from "../api/acts";
import type { ApiRequest } from "../api/commands";
import type { Problem } from "../api/problem";
import { announce } from "./announce";
import { Button } from "./Button";
import { FormDialog } from "./FormDialog";
import { Input } from "./form";
import { useSubmit } from "./useSubmit";

interface Props {
    /** The state permits the act. A dialog that is open stays open without it, and shows why its request is refused. */
    available?: boolean;
    /** The text of the button, and of the dialog. */
    name: string;
    title?: string;
    kind?: "plain" | "danger" | "primary";
    /** What will happen. */
    consequences: ReactNode[];
    /** To be typed before. */
    confirm?: string;
    /** Fields, with the problem of the last request if they show what is wrong with each. */
    children?: ReactNode | ((problem: Problem | null) => ReactNode);
    /** Without the role that its operation needs, the button is not shown. */
    request: ApiRequest;
    /** Reads the entity tag of the current state when the dialog opens. The act applies to that state only. */
    revision?: () => Promise<string>;
    act: (header: { "if-match"?: string }) => Promise<unknown>;
    done: string;
    onClose?: () => void;
}

/** A button, and a dialog that explains the act before it does it. */
export function Act({ available = true, name, title, kind = "plain", consequences, confirm, children, request, revision, act, done, onClose }: Props) {
    const may = useMay(request.operation);
    const [open, setOpen] = useState(false);
    const [typed, setTyped] = useState("");
    const [etag, setEtag] = useState<string>();
    const reading = useSubmit();
    const sending = useSubmit();
    if (!may || (!available && !open)) return null;
    const read = () => {
        setEtag(undefined);
        sending.setProblem(null);
        if (revision) void reading.submit(async () => setEtag(await revision()));
    };
    const close = () => {
        setOpen(false);
        setTyped("");
        sending.setProblem(null);
        onClose?.();
    };
    const header: { "if-match"?: string } = etag === undefined ? {} : { "if-match": etag };
    const ready = (!confirm || typed.trim() === confirm) && (!revision || etag !== undefined);
    const run = async () => {
        const { done: isDone } = await sending.submit(() => act(header));
        if (!isDone) return;
        close();
        announce(done);
    };
    return (
        <>
            {available && (
                <Button
                    kind={kind}
                    onClick={() => {
                        setOpen(true);
                        read();
                    }}
                >
                    {name}
                </Button>
            )}
            <FormDialog
                open={open}
                title={title ?? name}
                onClose={close}
                onSubmit={() => void run()}
                action={name}
                kind={kind === "danger" ? "danger" : "primary"}
                busy={sending.busy}
                disabled={!ready}
                problem={sending.problem ?? reading.problem}
                retry={reading.problem || sending.problem?.status === 412 ? read : undefined}
                retryText={reading.problem ? undefined : "Use the current state"}
                request={{ ...request, headers: { ...request.headers, ...header } }}
            >
                <p>What happens:</p>
                <ul className="consequences">
                    {consequences.map((consequence, index) => (
                        <li key={index}>{consequence}</li>
                    ))}
                </ul>
                {typeof children === "function" ? children(sending.problem) : children}
                {confirm && <Input label={`Type ${confirm} to confirm`} value={typed} onChange={(event) => setTyped(event.target.value)} autoComplete="off" spellCheck={false} />}
            </FormDialog>
        </>
    );
}
