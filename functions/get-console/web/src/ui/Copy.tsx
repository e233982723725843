import { useState } from "react";

import { type Request, curl } from "../api/curl";
import { Button } from "./Button";
import { announce } from "./announce";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";

export function Copy({ text, label }: { text: string; label: string }) {
    const [copied, setCopied] = useState(false);
    const copy = async () => {
        try {
            await navigator.clipboard.writeText(text);
            setCopied(true);
            announce("Copied");
            setTimeout(() => setCopied(false), 1500);
        } catch {
            announce("This browser does not permit copying. Select the text instead.");
        }
    };
    return (
        <button type="button" className="button button-ghost button-icon above" aria-label={label} title={label} onClick={copy}>
            <Icon name={copied ? "check" : "copy"} />
        </button>
    );
}

/** The request of a page or an act, as a command. */
export function CopyAsCurl({ request, label = "Copy as curl" }: { request: Request | Request[]; label?: string }) {
    const [open, setOpen] = useState(false);
    const command = [request].flat().map(curl).join("\n\n");
    return (
        <>
            <Button kind="ghost" onClick={() => setOpen(true)}>
                {label}
            </Button>
            <Dialog open={open} onClose={() => setOpen(false)} title="As a command" wide>
                <p className="muted">
                    Set <code>TOKEN</code> first, for example with <code>TOKEN=$(cargo dev token)</code>. Passwords are left out.
                </p>
                <pre className="code" tabIndex={0} aria-label="Command">
                    {command}
                </pre>
                <div className="actions">
                    <Button
                        kind="primary"
                        onClick={() => void navigator.clipboard.writeText(command).then(() => announce("Copied"), () => announce("Not copied"))}
                    >
                        Copy
                    </Button>
                </div>
            </Dialog>
        </>
    );
}
