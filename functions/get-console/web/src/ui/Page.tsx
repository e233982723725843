import { type ReactNode, useEffect } from "react";

interface Props {
    title: string;
    /** What is above it, such as the list that it is in. */
    above?: ReactNode;
    badge?: ReactNode;
    actions?: ReactNode;
    children: ReactNode;
}

export function Page({ title, above, badge, actions, children }: Props) {
    useEffect(() => {
        document.title = `${title} · Landlord`;
    }, [title]);
    return (
        <>
            <header className="page-head">
                <div className="page-title">
                    {above && <p className="above-title">{above}</p>}
                    <h1>
                        <bdi>{title}</bdi> {badge}
                    </h1>
                </div>
                <div className="actions">{actions}</div>
            </header>
            {children}
        </>
    );
}
