const PATHS = {
    close: "M4 4l8 8M12 4l-8 8",
    copy: "M5 5h8v8H5zM3 11V3h8",
    check: "M3 8.5l3.2 3.2L13 5",
    menu: "M2 4h12M2 8h12M2 12h12",
    search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM11 11l3 3",
    overview: "M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z",
    tenants: "M2 14V5l6-3 6 3v9M6 14v-4h4v4",
    users: "M6 7.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5zM1.500 13.500c.5-2.700 2.200-4 4.500-4s4 1.300 4.500 4M10.500 2.800a2.500 2.500 0 0 1 0 4.400M12 9.800c1.400.6 2.200 1.900 2.500 3.700",
    impersonations: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.6-3 2.700-4.500 5.500-4.500s4.900 1.500 5.500 4.500",
    health: "M1 8h3l2-5 4 10 2-5h3",
    operations: "M8 1v3M8 12v3M1 8h3M12 8h3M3 3l2 2M11 11l2 2M13 3l-2 2M5 11l-2 2",
    "dead-letters": "M1.500 4h13v8.500h-13zM2 4.500l6 4.500 6-4.500",
    reconciliations: "M2 6h10l-3-3M14 10H4l3 3",
    audit: "M3 1.500h7l3 3v10H3zM5.500 7h5M5.500 10h5",
    admins: "M8 1l6 2.500v4c0 3.500-2.500 6-6 7.500-3.500-1.500-6-4-6-7.500v-4z",
    clusters: "M2.500 3.500h11v3.500h-11zM2.500 9h11v3.500h-11zM4.500 5.200h.5M4.500 10.800h.5",
    settings: "M2 4.500h7M12 4.500h2M2 11.500h2M7 11.500h7M9 3v3h3v-3zM4 10v3h3v-3z",
    docs: "M3 2h7l3 3v9H3zM10 2v3h3",
    warning: "M8 2l6.500 12h-13zM8 6.500v3.500M8 12v.5",
    person: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.500 14c.6-3 2.700-4.500 5.500-4.500s4.900 1.500 5.500 4.500",
    plus: "M8 3v10M3 8h10",
} as const;

export type IconName = keyof typeof PATHS;

/** Decoration beside a text, or in a button with a label. */
export function Icon({ name }: { name: IconName }) {
    return (
        <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d={PATHS[name]} />
        </svg>
    );
}
