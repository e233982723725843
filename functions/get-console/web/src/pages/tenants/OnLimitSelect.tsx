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

interface Props {
    value: OnLimit;
    onChange: (value: OnLimit) => void;
    problem: Problem | null;
}

export function OnLimitSelect({ value, onChange, problem }: Props) {
    return (
        <Select
            label="When a limit is reached"
            value={value}
            error={errorOf(problem, "/on_limit")}
            hint={`${ON_LIMIT[value].meaning} More users than the limit are refused in any case.`}
            options={values.OnLimit.map((choice) => [choice, ON_LIMIT[choice].name] as const)}
            onChange={(event) => onChange(oneOf(values.OnLimit, event.target.value) ?? value)}
        />
    );
}
