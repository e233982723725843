// How busy the machine is, and limits that take this into account.

import { cpus, loadavg } from "node:os";

import { expect } from "@playwright/test";

const print = (line: string) => console.log(`    ${line}`);

/** The value below which a share of the sorted numbers is. */
export const at = (sorted: number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

/** The share of the processors that nothing uses, during one second. */
async function idleShare(): Promise<number> {
    const read = () => cpus().map(({ times }) => ({ idle: times.idle, all: Object.values(times).reduce((sum, time) => sum + time, 0) }));
    const before = read();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const after = read();
    const sum = (name: "idle" | "all") => after.reduce((total, cpu, index) => total + cpu[name] - (before[index]?.[name] ?? 0), 0);
    return sum("idle") / Math.max(sum("all"), 1);
}

/** The share of the processors that a test can use. */
export class Machine {
    private idle = 1;

    /** Measures while the test does nothing. Of several measurements, that of the busiest second counts. */
    async measure(): Promise<void> {
        this.idle = Math.min(this.idle, await idleShare());
    }

    /**
     * Prints a figure with its limit, and asserts it. The asserted limit is twice as high, because the local stack runs the functions
     * without optimization. Work takes longer, in proportion, on processors that others use as well, for which it is at most four times
     * as high.
     */
    expectAtMost(name: string, value: number, limit: number, unit: string): void {
        const factor = 1 / Math.min(0.5, Math.max(this.idle, 0.25));
        const allowed = limit * factor;
        const verdict = value <= limit ? "within the limit" : value <= allowed ? "over the limit, within what is asserted" : "over the limit";
        print(`${name}: ${value.toFixed(1)} ${unit}, limit ${limit} ${unit}: ${verdict} (${(this.idle * 100).toFixed(0)} % of ${cpus().length} processors idle, load ${loadavg()[0]?.toFixed(1)})`);
        expect(value, `${name}, in ${unit}; ${limit} is the limit`).toBeLessThanOrEqual(allowed);
    }

    note(line: string): void {
        print(line);
    }
}
