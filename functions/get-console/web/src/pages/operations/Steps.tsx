import type { Schemas } from "../../api/client";
import { duration, sentence } from "../../format";

export function Steps({ operation }: { operation: Schemas["Operation"] }) {
    return (
        <ol className="steps" aria-label="Steps">
            {operation.steps.map((step) => (
                <li key={step.name} className="step">
                    <span className={`dot dot-${step.status}`} aria-hidden="true" />
                    <span>
                        {sentence(step.name)} <span className="muted">{sentence(step.status).toLowerCase()}</span>
                    </span>
                    <span className="muted small">{step.started_at && step.finished_at ? duration(Date.parse(step.finished_at) - Date.parse(step.started_at)) : ""}</span>
                    {(step.attempts > 1 || step.error) && (
                        <span className="step-detail small">
                            {step.attempts > 1 && <span>{step.attempts} attempts. </span>}
                            {step.error && <span className="field-error">{step.error}</span>}
                        </span>
                    )}
                </li>
            ))}
        </ol>
    );
}
