import { type ReactNode, useState } from "react";

import { type ApiRequest, curl, landlord } from "../api/commands";
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

/** The requests of a page or an act, as commands. */
export function CopyAsCommand({ request }: { request: ApiRequest | ApiRequest[] }) {
    const [open, setOpen] = useState(false);
    const requests = [request].flat();
    return (
        <>
            <Button kind="ghost" onClick={() => setOpen(true)}>
                Copy as command
            </Button>
            <Dialog open={open} onClose={() => setOpen(false)} title="As a command" wide>
                <Command name="landlord" text={requests.map(landlord).join("\n\n")}>
                    Sign in first with <code>landlord login</code>. Passwords are read from files.
                </Command>
                <Command name="curl" text={requests.map(curl).join("\n\n")}>
                    Set <code>TOKEN</code> first, for example with <code>TOKEN=$(cargo dev token)</code>. Passwords are left out.
                </Command>
            </Dialog>
        </>
    );
}

/** A command for a shell, with what has to be known about it. */
export function Command({ name, text, children }: { name: string; text: string; children: ReactNode }) {
    return (
        <section className="command" aria-label={`Command for ${name}`}>
            <header className="card-head">
                <h3>{name}</h3>
                <Copy text={text} label={`Copy the command for ${name}`} />
            </header>
            <pre className="code" tabIndex={0} aria-label={`Text of the command for ${name}`}>
                {text}
            </pre>
            <p className="hint">{children}</p>
        </section>
    );
}
