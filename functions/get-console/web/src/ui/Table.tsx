import { type ColumnDef, flexRender, getCoreRowModel, useReactTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef } from "react";

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
    loadMore?: () => void;
    loading?: boolean;
}

/** A table whose rows are in the document only while they are near the window, so that it may have 100,000. */
export function Table<T>({ label, columns, rows, idOf, hidden = [], more = false, loadMore, loading = false }: Props<T>) {
    const scroller = useRef<HTMLDivElement>(null);
    const table = useReactTable({
        data: rows,
        columns,
        getCoreRowModel: getCoreRowModel(),
        getRowId: idOf,
        state: { columnVisibility: Object.fromEntries(hidden.map((id) => [id, false])) },
    });
    const models = table.getRowModel().rows;
    const virtual = useVirtualizer({ count: models.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 12 });
    const items = virtual.getVirtualItems();
    const last = items.at(-1)?.index ?? 0;
    useEffect(() => {
        if (more && !loading && last >= models.length - 50) loadMore?.();
    }, [more, loading, last, models.length, loadMore]);
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
            <div className="table" role="table" aria-label={label} aria-rowcount={more ? -1 : models.length + 1}>
                <div role="rowgroup" className="table-head">
                    {table.getHeaderGroups().map((group) => (
                        <div role="row" key={group.id} className="row" style={{ gridTemplateColumns: template }} aria-rowindex={1}>
                            {group.headers.map((header) => (
                                <div role="columnheader" key={header.id} className="cell">
                                    {flexRender(header.column.columnDef.header, header.getContext())}
                                </div>
                            ))}
                        </div>
                    ))}
                </div>
                <div role="rowgroup" className="table-body" style={{ height: virtual.getTotalSize() }}>
                    {items.map((item) => {
                        const row = models[item.index];
                        if (!row) return null;
                        return (
                            <div role="row" key={row.id} className="row" aria-rowindex={item.index + 2} style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}>
                                {row.getVisibleCells().map((cell) => (
                                    <div role="cell" key={cell.id} className="cell">
                                        {flexRender(cell.column.columnDef.cell, cell.getContext())}
                                    </div>
                                ))}
                            </div>
                        );
                    })}
                </div>
            </div>
            {loading && <Loading rows={2} />}
        </div>
    );
}
