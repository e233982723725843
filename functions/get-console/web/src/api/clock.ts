// The clock of the API. That of a device may be off, and times of the API must not be compared with it.

/** The API's time minus this device's: at least and at most, in milliseconds. */
let bounds: { low: number; high: number } | undefined;

/** Learns from a response with the header `Date`, which contains whole seconds, and the device's times around its request. */
export function learnTime(date: string | null, sent: number, received: number): void {
    const second = Date.parse(date ?? "");
    if (Number.isNaN(second)) return;
    const [low, high] = [second - received, second + 1000 - sent];
    const narrowed = bounds && { low: Math.max(bounds.low, low), high: Math.min(bounds.high, high) };
    // Bounds that contradict each other: the device's clock was set in between.
    bounds = narrowed && narrowed.low <= narrowed.high ? narrowed : { low, high };
}

/** Milliseconds to add to a time of this device. A clock that may be right counts as right. */
export function clockOffset(): number {
    if (!bounds || (bounds.low <= 0 && bounds.high >= 0)) return 0;
    return bounds.low > 0 ? bounds.low : bounds.high;
}

/** The time of the API, in milliseconds since 1970. */
export const now = (): number => Date.now() + clockOffset();
