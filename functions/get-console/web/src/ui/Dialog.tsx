import { Dialog as Base } from "@base-ui/react/dialog";
import type { ReactNode } from "react";

import { Icon } from "./Icon";

interface Props {
    open: boolean;
    onClose: () => void;
    title: string;
    children: ReactNode;
    /** Nothing closes the dialog, because a request of it is running or because it must be answered. */
    persistent?: boolean;
    wide?: boolean;
}

/** A modal dialog. Escape and its button close it, a click beside it does not. The focus returns to where it was. */
export function Dialog({ open, onClose, title, children, persistent, wide }: Props) {
    return (
        <Base.Root open={open} onOpenChange={(isOpen) => !isOpen && !persistent && onClose()} disablePointerDismissal>
            <Base.Portal>
                <Base.Backdrop className="backdrop" />
                <Base.Popup className={wide ? "dialog dialog-wide" : "dialog"}>
                    <header className="dialog-head">
                        <Base.Title className="dialog-title">{title}</Base.Title>
                        <Base.Close className="button button-ghost button-icon" aria-label="Close" aria-disabled={persistent || undefined}>
                            <Icon name="close" />
                        </Base.Close>
                    </header>
                    {children}
                </Base.Popup>
            </Base.Portal>
        </Base.Root>
    );
}
