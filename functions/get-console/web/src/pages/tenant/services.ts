import { sentence } from "../../format";

/** Services that have confirmed something, or have not. */
export const servicesText = (services: string[]): string => (services.length > 0 ? services.map(sentence).join(", ") : "none");
