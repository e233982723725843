import type { Schemas } from "../../api/client";
import { percent, sentence } from "../../format";
import { type History, segments } from "./healthData";

/** The states of a component as a strip of colours, with its uptime as text. */
export function HealthStrip({ history, component }: { history: History; component: Schemas["ComponentHistory"] }) {
    const [start, end] = [Date.parse(history.from), Date.parse(history.to)];
    const width = Math.max(end - start, 1);
    const parts = segments(history, component);
    const uptime = component.uptime ?? null;
    const bad = component.changes.filter((change) => change.to !== "up").length;
    const label = `${sentence(component.component)}: ${uptime === null ? "no samples" : `${(uptime * 100).toFixed(2)} % up`}, ${bad} ${bad === 1 ? "failure" : "failures"}`;
    return (
        <svg className="strip" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label={label}>
            {parts.map((part) => (
                <rect key={`${part.from}-${part.condition}`} className={`strip-${part.condition}`} x={((part.from - start) / width) * 1000} width={Math.max(((part.to - part.from) / width) * 1000, 2)} height="24" />
            ))}
        </svg>
    );
}

export const uptimeText = (component: Schemas["ComponentHistory"]): string => (component.uptime === null || component.uptime === undefined ? "no samples" : component.uptime === 1 ? percent(1) : `${(component.uptime * 100).toFixed(2)} %`);
