import type { ReactNode } from "react";

import type { ApiRequest } from "../api/commands";
import type { Problem } from "../api/problem";
import { Button } from "./Button";
import { CopyAsCommand } from "./Copy";
import { Dialog } from "./Dialog";
import { ProblemNote } from "./state";

interface Props {
    open?: boolean;
    title: string;
    onClose: () => void;
    onSubmit: () => void;
    /** The text of the button that sends the form. */
    action: string;
    kind?: "primary" | "danger";
    /** The request is running: nothing closes the dialog, and its outcome is shown in it. */
    busy: boolean;
    disabled?: boolean;
    problem: Problem | null;
    /** What a button beside the problem does. */
    retry?: () => void;
    retryText?: string;
    request: ApiRequest;
    children: ReactNode;
}

/** A form in a dialog. A problem leaves the dialog open, with everything that was typed. */
export function FormDialog({ open = true, title, onClose, onSubmit, action, kind = "primary", busy, disabled, problem, retry, retryText, request, children }: Props) {
    return (
        <Dialog open={open} onClose={onClose} title={title} persistent={busy}>
            <form
                onSubmit={(event) => {
                    event.preventDefault();
                    if (!busy && !disabled) onSubmit();
                }}
            >
                {children}
                {problem && <ProblemNote problem={problem} retry={retry} retryText={retryText} />}
                <div className="actions">
                    <Button type="submit" kind={kind} busy={busy} disabled={disabled}>
                        {action}
                    </Button>
                    <Button onClick={onClose} disabled={busy}>
                        Cancel
                    </Button>
                    <CopyAsCommand request={request} />
                </div>
            </form>
        </Dialog>
    );
}
