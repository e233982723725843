/** A text of the URL as one of the values that the API has, or nothing. */
export const oneOf = <T extends string>(values: readonly T[], text: string | undefined): T | undefined => values.find((value) => value === text);
