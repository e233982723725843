import type { ReactNode } from "react";

import { clockOffset } from "../api/clock";
import type { List } from "../api/lists";
import { number } from "../format";
import { Time } from "./data";
import { Loading, ProblemNote, Stale } from "./state";
import { type Columns, Table } from "./Table";

interface StateProps<T extends { id: string }> {
    list: List<T>;
    /** Rows of the placeholder while the list is read. */
    rows?: number;
    /** What is shown if the list has no items. */
    empty: ReactNode;
    children: ReactNode;
}

/** A list that is read page by page, in any state: being read, failed, empty, old, with a page that could not be read. */
export function ListState<T extends { id: string }>({ list, rows = 4, empty, children }: StateProps<T>) {
    const { first, items } = list;
    if (first.isPending) return <Loading rows={rows} />;
    if (first.error && items.length === 0) return <ProblemNote problem={first.error} retry={() => void first.refetch()} />;
    return (
        <>
            <Stale read={first} />
            {items.length === 0 ? empty : children}
            {list.failure !== null && <ProblemNote problem={list.failure} retry={list.loadMore} retryText="Read the next page again" />}
            <ReadAt list={list} />
        </>
    );
}

function ReadAt<T extends { id: string }>({ list: { first, later } }: { list: List<T> }) {
    if (first.dataUpdatedAt === 0) return null;
    return (
        <p className="muted small">
            As of <Time value={new Date(first.dataUpdatedAt + clockOffset()).toISOString()} seconds />
            {later && (
                <>
                    ; rows after the first {number(later.after)} as of <Time value={new Date(later.readAt).toISOString()} seconds />
                </>
            )}
        </p>
    );
}

interface Props<T extends { id: string }> extends Omit<StateProps<T>, "children"> {
    label: string;
    columns: Columns<T>;
    hidden?: string[];
}

const idOf = ({ id }: { id: string }) => id;

/** A list as a table that reads further pages as their rows come near. */
export function ListTable<T extends { id: string }>({ list, rows, empty, label, columns, hidden }: Props<T>) {
    return (
        <ListState list={list} rows={rows} empty={empty}>
            <Table label={label} columns={columns} rows={list.items} idOf={idOf} hidden={hidden} more={list.more} isWhole={list.isWhole} loading={list.loading} loadMore={list.loadMore} />
        </ListState>
    );
}
