import { type ColumnDef, type Row, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type ReactNode, memo, useEffect, useMemo, useRef } from "react";

import { Loading } from "./state";

const ROW = 44;

export type Columns<T> = ColumnDef<T>[];

interface Props<T> {
    label: string;
    columns: Columns<T>;
    rows: T[];
    idOf: (row: T) => string;
    hidden?: string[];
    /** More rows exist, and are read when the end comes near. */
    more?: boolean;
    /** No further rows exist than these. */
    isWhole?: boolean;
    loadMore?: () => void;
    loading?: boolean;
}

/** Calls the function of a column. As a component it would be another one after each change of the columns, and lose its state and focus. */
const rendered = <C,>(template: ((context: C) => unknown) | string | undefined, context: C): ReactNode => (typeof template === "function" ? template(context) : template) as ReactNode;

/** A table whose rows are in the document only while they are near the window, so that it may have 100,000. */
export function Table<T>({ label, columns, rows, idOf, hidden = [], more = false, isWhole = !more, loadMore, loading = false }: Props<T>) {
    const scroller = useRef<HTMLDivElement>(null);
    const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12 });
    const items = virtual.getVirtualItems();
    const [start, end] = [items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1];
    // Models of 100,000 rows would take most of the memory of the page.
    const data = useMemo(() => rows.slice(start, end), [rows, start, end]);
    const columnVisibility = useMemo(() => Object.fromEntries(hidden.map((id) => [id, false])), [hidden]);
    const table = useReactTable({ data, columns, getCoreRowModel: getCoreRowModel(), getRowId: idOf, state: { columnVisibility } });
    const models = table.getRowModel().rows;
    useEffect(() => {
        if (more && !loading && end >= rows.length - 50) loadMore?.();
    }, [more, loading, end, rows.length, loadMore]);
    const template = table
        .getVisibleLeafColumns()
        .map((column) => `minmax(${column.getSize()}px, ${column.getSize()}fr)`)
        .join(" ");
    const keys = (event: KeyboardEvent) => {
        const links = [...(scroller.current?.querySelectorAll<HTMLElement>("a.row-link") ?? [])];
        const at = links.indexOf(document.activeElement as HTMLElement);
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (at >= 0 && step && links[at + step]) {
            event.preventDefault();
            links[at + step]?.focus();
        }
    };
    return (
        <div className="table-scroll" ref={scroller} role="region" aria-label={label} tabIndex={0} onKeyDown={keys}>
            <div className="table" role="table" aria-label={label} aria-rowcount={isWhole ? rows.length + 1 : -1}>
                <div role="rowgroup" className="table-head">
                    {table.getHeaderGroups().map((group) => (
                        <div role="row" key={group.id} className="row" style={{ gridTemplateColumns: template }} aria-rowindex={1}>
                            {group.headers.map((header) => (
                                <div role="columnheader" key={header.id} className="cell">
                                    {rendered(header.column.columnDef.header, header.getContext())}
                                </div>
                            ))}
                        </div>
                    ))}
                </div>
                <div role="rowgroup" className="table-body" style={{ height: virtual.getTotalSize() }}>
                    {items.map((item) => {
                        const row = models[item.index - start];
                        return row && <BodyRow key={row.id} row={row} columns={columns} index={item.index} offset={item.start} template={template} />;
                    })}
                </div>
            </div>
            {loading && <Loading rows={2} />}
        </div>
    );
}

interface RowProps<T> {
    row: Row<T>;
    columns: Columns<T>;
    index: number;
    /** Pixels from the first row. */
    offset: number;
    template: string;
}

function RowView<T>({ row, index, offset, template }: RowProps<T>) {
    return (
        <div role="row" className="row" aria-rowindex={index + 2} style={{ gridTemplateColumns: template, transform: `translateY(${offset}px)` }}>
            {row.getVisibleCells().map((cell) => (
                <div role="cell" key={cell.id} className="cell">
                    {rendered(cell.column.columnDef.cell, cell.getContext())}
                </div>
            ))}
        </div>
    );
}

/** A model is created anew for each position of the window. Its row is drawn again only if what it shows has changed. */
const BodyRow = memo(RowView, (before, after) => before.row.original === after.row.original && before.columns === after.columns && before.index === after.index && before.offset === after.offset && before.template === after.template) as typeof RowView;
