import { useState } from "react";

import type { Page } from "../api/pages";
import { fromFailure } from "../api/problem";
import { number } from "../format";
import { announce } from "./announce";
import { Button } from "./Button";
import { saveFile } from "./saveFile";

type Cell = string | number | null;

const MAX_ROWS = 100_000;

/** Text that a spreadsheet does not take for a formula. */
function cell(value: Cell): string {
    const text = value === null ? "" : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

interface Props<T> {
    /** The name of the file, without its ending. */
    name: string;
    head: string[];
    cells: (item: T) => Cell[];
    read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>;
}

/** Saves everything that the filters of a list select, not only what is on the screen. */
export function SaveAsCsv<T>({ name, head, cells, read }: Props<T>) {
    const [count, setCount] = useState<number>();
    const save = async () => {
        const lines: string[] = [head.join(",")];
        let cursor: string | undefined;
        try {
            do {
                setCount(lines.length - 1);
                const page = await read(cursor, AbortSignal.timeout(30_000));
                lines.push(...page.items.map((item) => cells(item).map(cell).join(",")));
                cursor = page.next;
            } while (cursor && lines.length <= MAX_ROWS);
            saveFile(`${name}.csv`, "text/csv", `${lines.join("\r\n")}\r\n`);
            announce(`${number(lines.length - 1)} rows are saved as ${name}.csv${cursor ? "; more exist" : ""}`);
        } catch (failure) {
            announce(`Nothing is saved: ${fromFailure(failure).detail}`);
        } finally {
            setCount(undefined);
        }
    };
    return (
        <Button kind="ghost" busy={count !== undefined} onClick={() => void save()}>
            {count === undefined ? "Save as CSV" : `Reading, ${number(count)} so far`}
        </Button>
    );
}
