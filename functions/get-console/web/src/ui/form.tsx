import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useEffect, useId, useRef } from "react";

import type { Problem } from "../api/problem";
import { sentence } from "../format";
import { LIMIT_PATTERN, readLimit } from "../limits";

interface Label {
    label: string;
    hint?: ReactNode;
    /** What is wrong with it. */
    error?: string;
}

function Field({ label, hint, error, id, children }: Label & { id: string; children: ReactNode }) {
    return (
        <div className="field">
            <label htmlFor={id}>{label}</label>
            {children}
            {hint && (
                <p className="hint" id={`${id}-hint`}>
                    {hint}
                </p>
            )}
            {error && (
                <p className="field-error" id={`${id}-error`}>
                    {error}
                </p>
            )}
        </div>
    );
}

const described = (id: string, { hint, error }: Label) => ({
    "aria-describedby": [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined,
    "aria-invalid": error ? true : undefined,
});

export function Input({ label, hint, error, ...rest }: Label & InputHTMLAttributes<HTMLInputElement>) {
    const id = useId();
    return (
        <Field {...{ label, hint, error, id }}>
            <input {...rest} id={id} {...described(id, { label, hint, error })} />
        </Field>
    );
}

export function Area({ label, hint, error, value, minLength = 0, ...rest }: Label & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "value"> & { value: string }) {
    const id = useId();
    const field = useRef<HTMLTextAreaElement>(null);
    // React sets the content of the element again after each key, and browsers check the minimum only after a change by the person.
    const isShort = value !== "" && value.length < minLength;
    useEffect(() => field.current?.setCustomValidity(isShort ? `Use at least ${minLength} characters.` : ""), [isShort, minLength]);
    return (
        <Field {...{ label, hint, error, id }}>
            <textarea rows={2} {...rest} ref={field} value={value} id={id} {...described(id, { label, hint, error })} />
        </Field>
    );
}

export function Select({ label, hint, error, options, ...rest }: Label & { options: readonly (readonly [string, string])[] } & SelectHTMLAttributes<HTMLSelectElement>) {
    const id = useId();
    return (
        <Field {...{ label, hint, error, id }}>
            <select {...rest} id={id} {...described(id, { label, hint, error })}>
                {options.map(([value, text]) => (
                    <option key={value} value={value}>
                        {text}
                    </option>
                ))}
            </select>
        </Field>
    );
}

/** The options of a filter: no restriction first. */
export const anyOf = (values: readonly string[], text: (value: string) => string = sentence): (readonly [string, string])[] => [["", "Any"], ...values.map((value) => [value, text(value)] as const)];

/** A field for a limit of a tenant. */
export function LimitInput({ value, error, ...rest }: Label & Omit<InputHTMLAttributes<HTMLInputElement>, "value"> & { value: string }) {
    return <Input {...rest} value={value} error={readLimit(value).error ?? error} pattern={LIMIT_PATTERN} title="A whole number, or the word unlimited" maxLength={20} autoComplete="off" spellCheck={false} />;
}

/** The error of a field. */
export const errorOf = (problem: Problem | null, pointer: string): string | undefined => problem?.ofField(pointer);
