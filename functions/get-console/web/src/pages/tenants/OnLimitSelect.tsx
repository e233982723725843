import type { Schemas } from "../../api/client";
import { values } from "../../api/generated/operations";
import { oneOf } from "../../api/oneOf";
import type { Problem } from "../../api/problem";
import { Select, errorOf } from "../../ui/form";

type OnLimit = Schemas["OnLimit"];

export const ON_LIMIT: Record<OnLimit, { name: string; meaning: string }> = {
    notify: { name: "Notify", meaning: "The services receive an event about the limit, and nothing else happens." },
    block_new: { name: "Block new", meaning: "Services refuse new contacts and messages of the tenant, until its use is below the limit again or the limit is raised." },
};

interface Props<T extends OnLimit | undefined> {
    value: T;
    onChange: (value: OnLimit | T) => void;
    problem?: Problem | null;
    disabled?: boolean;
    /** Nothing may be chosen, which changes nothing. */
    optional?: boolean;
}

export function OnLimitSelect<T extends OnLimit | undefined>({ value, onChange, problem = null, disabled, optional = false }: Props<T>) {
    const choices = values.OnLimit.map((choice) => [choice, ON_LIMIT[choice].name] as const);
    return (
        <Select
            label="When a limit is reached"
            value={value ?? ""}
            disabled={disabled}
            error={errorOf(problem, "/on_limit")}
            hint={value && `${ON_LIMIT[value].meaning} More users than the limit are refused in any case.`}
            options={optional ? [["", "No change"], ...choices] : choices}
            onChange={(event) => {
                const chosen = oneOf(values.OnLimit, event.target.value);
                onChange(optional ? (chosen as T) : (chosen ?? value));
            }}
        />
    );
}
