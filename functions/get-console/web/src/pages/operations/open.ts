import type { Schemas } from "../../api/client";

/** The statuses of operations that have not ended. */
export const OPEN: Schemas["OperationStatus"][] = ["pending", "running", "undoing"];
