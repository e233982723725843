import { useEffect, useState } from "react";

import { useMay } from "../../api/acts";
import { type Schemas, api, body } from "../../api/client";
import { now } from "../../api/clock";
import { useRenew } from "../../api/useRenew";
import { bytes } from "../../format";
import { Button } from "../../ui/Button";
import { Command, Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { FormDialog } from "../../ui/FormDialog";
import { type Columns, Table } from "../../ui/Table";
import { Time } from "../../ui/data";
import { Input, errorOf } from "../../ui/form";
import { useSubmit } from "../../ui/useSubmit";
import { Countdown } from "../impersonations/Countdown";
import { downloadCommand, nameOf } from "./downloads";
import type { Export } from "./exportData";

type Link = Schemas["FileLink"];

/** Gets links to the files of an export. They are in the memory of the open dialog only. */
export function ExportLinks({ of }: { of: Export }) {
    const may = useMay("POST /tenants/{id}/exports/{export_id}/links");
    const renew = useRenew();
    const [open, setOpen] = useState(false);
    const [minutes, setMinutes] = useState("15");
    const [links, setLinks] = useState<Schemas["ExportLinks"]>();
    const { busy, problem, setProblem, submit } = useSubmit();
    const available = of.status === "complete";
    if (!may || (!available && !open)) return null;
    const close = () => {
        setOpen(false);
        setLinks(undefined);
        setMinutes("15");
        setProblem(null);
    };
    const request: Schemas["LinksRequest"] = { valid_minutes: Number(minutes), offset: 0 };
    const issue = () =>
        submit(async () => {
            setLinks(await allLinks(of, request));
            await renew("audit");
        });
    return (
        <>
            {available && (
                <Button onClick={() => setOpen(true)}>Get links</Button>
            )}
            {open && !links && (
                <FormDialog
                    title="Links to the files of the export"
                    onClose={close}
                    onSubmit={() => void issue()}
                    action="Get links"
                    busy={busy}
                    problem={problem}
                    request={{ operation: "POST /tenants/{id}/exports/{export_id}/links", ids: [of.tenant_id, of.id], body: { ...request } }}
                >
                    <p>What happens:</p>
                    <ul className="consequences">
                        <li>Everyone who has a link can read its file until the link expires, without a token. A link cannot be taken back.</li>
                        <li>The files contain personal data of the tenant's customers.</li>
                        <li>It is recorded in the audit log that you got the links.</li>
                    </ul>
                    <Input label="Minutes" type="number" min={1} max={60} step={1} required value={minutes} error={errorOf(problem, "/valid_minutes")} hint="From 1 to 60: for how long the links work." onChange={(event) => setMinutes(event.target.value)} />
                </FormDialog>
            )}
            {open && links && <Issued links={links} onExpired={() => setLinks(undefined)} onClose={close} />}
        </>
    );
}

/** One answer has the links of at most 1,000 files. */
async function allLinks({ tenant_id: id, id: export_id }: Export, request: Schemas["LinksRequest"]): Promise<Schemas["ExportLinks"]> {
    const page = (offset: number) =>
        body(api.POST("/api/super-admin/tenants/{id}/exports/{export_id}/links", { params: { path: { id, export_id } }, body: { ...request, offset } }));
    // The links of the first page expire first.
    const all = await page(0);
    while (all.next_offset !== null) {
        const { files, next_offset } = await page(all.next_offset);
        all.files.push(...files);
        all.next_offset = next_offset;
    }
    return all;
}

function Issued({ links, onExpired, onClose }: { links: Schemas["ExportLinks"]; onExpired: () => void; onClose: () => void }) {
    const { expires_at, manifest, files } = links;
    useEffect(() => {
        const timer = setTimeout(onExpired, Math.max(Date.parse(expires_at) - now(), 0));
        return () => clearTimeout(timer);
    }, [expires_at]);
    const all = [manifest, ...files];
    return (
        <Dialog open onClose={onClose} title="Links to the files of the export" wide>
            <Countdown until={expires_at} />
            <p>
                The links work until <Time value={expires_at} both seconds />. They are shown here only, and are forgotten when this dialog is closed. A browser that downloads a file keeps its link in the list of downloads.
            </p>
            <Table label="Files of the export" columns={COLUMNS} rows={all} idOf={({ key }) => key} />
            <Command name="downloading" text={downloadCommand(all)}>
                Downloads every file into the folder <code>export</code>, and compares it with its SHA-256. The manifest describes what each contains.
            </Command>
            <div className="actions">
                <Button onClick={onClose}>Close</Button>
            </div>
        </Dialog>
    );
}

const COLUMNS: Columns<Link> = [
    {
        id: "file",
        size: 250,
        header: "File",
        cell: ({ row: { original } }) => (
            <a href={original.url} target="_blank" rel="noopener noreferrer">
                {nameOf(original)}
            </a>
        ),
    },
    { id: "size", size: 80, header: "Size", cell: ({ row }) => bytes(row.original.bytes) },
    { id: "sha256", size: 150, header: "SHA-256", cell: ({ row }) => <code title={row.original.sha256}>{row.original.sha256.slice(0, 16)}…</code> },
    { id: "copy", size: 60, header: () => <span className="hidden">Copy</span>, cell: ({ row }) => <Copy text={row.original.url} label={`Copy the link to ${nameOf(row.original)}`} /> },
];
