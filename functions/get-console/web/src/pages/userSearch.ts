/** The shortest text that the API searches for in all tenants. */
export const MIN_SEARCH = 3;
