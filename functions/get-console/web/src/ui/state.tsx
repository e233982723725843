// The states of what is read: loading, failed, forbidden, old.

import type { ReactNode } from "react";

import { clockOffset } from "../api/clock";
import { Problem, fromFailure, remedy } from "../api/problem";
import { utc } from "../format";
import { Button } from "./Button";
import { Icon } from "./Icon";

export function ProblemNote({ problem, retry, retryText = "Try again" }: { problem: unknown; retry?: () => void; retryText?: string }) {
    const shown = fromFailure(problem);
    return (
        <div className="note note-danger" role="alert">
            <Icon name="warning" />
            <div>
                <p className="strong">{shown.status === 403 ? "Your role does not permit this" : shown.title}</p>
                <p>{shown.detail}</p>
                {shown.details?.errors?.map((error) => (
                    <p key={`${error.pointer}${error.parameter}${error.code}`}>
                        <code>{error.pointer ?? error.parameter}</code> {error.detail}
                    </p>
                ))}
                <p>{remedy(shown)}</p>
                {shown.requestId && (
                    <p className="muted small">
                        Request <code>{shown.requestId}</code>
                    </p>
                )}
                {retry && <Button onClick={retry}>{retryText}</Button>}
            </div>
        </div>
    );
}

interface Read<T> {
    data: T | undefined;
    error: unknown;
    isPending: boolean;
    isFetching: boolean;
    dataUpdatedAt: number;
    refetch: () => unknown;
}

/** Shows what was read. What was read before a failure stays, marked as old. */
export function Loaded<T>({ read, children, rows = 4 }: { read: Read<T>; children: (data: T) => ReactNode; rows?: number }) {
    if (read.data === undefined) {
        if (read.error) return <ProblemNote problem={read.error} retry={() => void read.refetch()} />;
        return <Loading rows={rows} />;
    }
    return (
        <>
            <Stale read={read} />
            {children(read.data)}
        </>
    );
}

export function Stale({ read }: { read: Read<unknown> }) {
    if (!read.error || read.data === undefined) return null;
    const problem = read.error instanceof Problem ? read.error : fromFailure(read.error);
    return (
        <div className="note note-warn" role="status">
            <Icon name="warning" />
            <div>
                <p>
                    <span className="strong">Old figures.</span> Last read at {utc(new Date(read.dataUpdatedAt + clockOffset()), true)}. {problem.title}:{" "}
                    {problem.detail}
                </p>
                <Button onClick={() => void read.refetch()}>Try again</Button>
            </div>
        </div>
    );
}

export function Loading({ rows = 4 }: { rows?: number }) {
    return (
        <div className="skeleton" role="status" aria-label="Loading">
            {Array.from({ length: rows }, (_, index) => (
                <span key={index} />
            ))}
        </div>
    );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
    return (
        <div className="empty">
            <p className="strong">{title}</p>
            {children}
        </div>
    );
}
