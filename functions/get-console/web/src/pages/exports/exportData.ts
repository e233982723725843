// What is read of exports, and what their states mean.

import { type Schemas, type Tagged, api } from "../../api/client";
import { followed } from "../../api/polling";
import { useTagged } from "../../api/useTagged";
import { bytes, number } from "../../format";

export type Export = Schemas["Export"];

export const STATES: Record<Schemas["ExportStatus"], string> = {
    pending: "It waits for a worker.",
    running: "Its files are being written.",
    complete: "Its files can be downloaded and restored until it expires.",
    failed: "It could not be written, and its files were removed. The operation shows why.",
    superseded: "The tenant was suspended or deleted before it was complete.",
    expired: "Its files are removed. It cannot be downloaded or restored any more.",
};

const isOver = ({ status }: Export): boolean => status !== "pending" && status !== "running";

export const useExport = (tenantId: string, exportId: string) =>
    useTagged(
        ["exports", tenantId, exportId],
        (header, signal) => api.GET("/api/super-admin/tenants/{id}/exports/{export_id}", { params: { path: { id: tenantId, export_id: exportId }, header }, signal }),
        { refetchInterval: followed(1_500, (read: Tagged<Export>) => isOver(read.data)) },
    );

/** What an export contains, in a line. */
export const contentText = ({ rows, documents, objects, bytes: size }: Schemas["ExportSummary"]): string => `${number(rows)} rows, ${number(documents)} documents, ${number(objects)} objects listed; ${bytes(size)} of files`;
