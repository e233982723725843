import { useQuery } from "@tanstack/react-query";

import { type Schemas, api, body } from "../../api/client";
import { bytes, number, sentence } from "../../format";
import { Button } from "../../ui/Button";
import { Command, Copy, CopyAsCommand } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { announce } from "../../ui/announce";
import { Card, Facts, Id, Time } from "../../ui/data";
import { saveFile } from "../../ui/saveFile";
import { Loaded } from "../../ui/state";
import { type Figure, type Receipt, type StoreInReceipt, readReceipt, verification } from "./readReceipt";

/** The receipt of a deleted tenant, which never changes. */
export function ReceiptCard({ tenant }: { tenant: Pick<Schemas["Organization"], "id" | "slug"> }) {
    const read = useQuery({
        queryKey: ["receipt", tenant.id],
        staleTime: Infinity,
        queryFn: async ({ signal }) => {
            const { receipt: jws } = await body(api.GET("/api/super-admin/tenants/{id}/receipt", { params: { path: { id: tenant.id } }, signal }));
            return { jws, receipt: readReceipt(jws) };
        },
    });
    const file = `receipt-${tenant.slug}.jws`;
    return (
        <Card title="Receipt" aside={<CopyAsCommand request={{ operation: "GET /tenants/{id}/receipt", ids: [tenant.id] }} />}>
            <Loaded read={read}>
                {({ jws, receipt }) => (
                    <>
                        <div className="note note-warn" role="note">
                            <Icon name="warning" />
                            <div>
                                <p className="strong">Shown unverified</p>
                                <p>This is what the receipt states. The console does not verify its signature. Before you rely on it, save the signed receipt and verify it as described below.</p>
                            </div>
                        </div>
                        <Statement receipt={receipt} />
                        <div className="actions">
                            <span className="id">
                                Signed receipt <Copy text={jws} label="Copy the signed receipt" />
                            </span>
                            <Button
                                onClick={() => {
                                    saveFile(file, "application/jose", jws);
                                    announce(`The signed receipt is saved as ${file}`);
                                }}
                            >
                                Save the signed receipt
                            </Button>
                        </div>
                        <Command name="verification" text={verification(file, window.location.origin)}>
                            In the folder of the saved file, with Python and <code>pip install "pyjwt[crypto]"</code>. It needs the keys that were published when the receipt was signed; keep a copy of them with it. infra/deletion.md describes the receipt.
                        </Command>
                    </>
                )}
            </Loaded>
        </Card>
    );
}

function Statement({ receipt }: { receipt: Receipt }) {
    const { search } = receipt;
    return (
        <>
            <Facts
                facts={[
                    ["Slug", receipt.slug],
                    ["Nothing left since", <Time key="purged" value={receipt.purgedAt} both seconds />],
                    ["Reason of the deletion", receipt.reason],
                    ["Signed by", receipt.issuer],
                    ["Operation", <Id key="operation" value={receipt.operation} label="operation's id" />],
                    ["Searched afterwards", search.places.join(", ") || "not stated"],
                    ["Found there", search.found === undefined ? "not stated" : search.found === 0 ? "nothing" : number(search.found)],
                    ["Searched at", <Time key="searched" value={search.at} both seconds />],
                ]}
            />
            <table className="difference">
                <caption className="hidden">What was removed</caption>
                <thead>
                    <tr>
                        <th scope="col">Store</th>
                        <th scope="col">Existed</th>
                        <th scope="col">Removed</th>
                    </tr>
                </thead>
                <tbody>
                    {receipt.stores.map((one) => (
                        <StoreRow key={`${one.store} ${one.cluster}`} {...one} />
                    ))}
                </tbody>
            </table>
            <table className="difference">
                <caption className="hidden">What remains</caption>
                <thead>
                    <tr>
                        <th scope="col">What remains</th>
                        <th scope="col">Until</th>
                    </tr>
                </thead>
                <tbody>
                    {receipt.remains.map(({ what, until }) => (
                        <tr key={what}>
                            <th scope="row">{what}</th>
                            <td>{until ? <Time value={until} /> : "without end"}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </>
    );
}

/** Figures are named in the plural, such as `rows`. */
function figureText([what, count]: Figure): string {
    if (what === "bytes") return bytes(count);
    return `${number(count)} ${sentence(count === 1 ? what.replace(/s$/, "") : what).toLowerCase()}`;
}

function StoreRow({ store, cluster, existed, removed }: StoreInReceipt) {
    const shown = (figures: Figure[]) => figures.map(figureText).join(", ") || <span className="muted">nothing</span>;
    return (
        <tr>
            <th scope="row">
                {sentence(store)} {cluster && <span className="muted">{cluster}</span>}
            </th>
            <td>{shown(existed)}</td>
            <td>{shown(removed)}</td>
        </tr>
    );
}
