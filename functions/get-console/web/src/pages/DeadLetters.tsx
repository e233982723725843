import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { type Schemas, api, body } from "../api/client";
import { useRenew } from "../api/useRenew";
import { announce } from "../ui/announce";
import { Act } from "../ui/Act";
import { AsOf } from "../ui/AsOf";
import { CopyAsCommand } from "../ui/Copy";
import { Page } from "../ui/Page";
import { Badge, Time } from "../ui/data";
import { Empty, Loaded } from "../ui/state";

const MEANING: Record<Schemas["DeadLetterAction"], string> = {
    remove: "Nothing is left to do, so a redrive removes the message.",
    wake: "Its operation is open, so a redrive wakes its worker and removes the message.",
    keep: "It cannot be read or names an operation that does not exist, so a redrive keeps it unless you choose otherwise.",
};

export function DeadLetters() {
    const renew = useRenew();
    const [unknown, setUnknown] = useState(false);
    const read = useQuery({ queryKey: ["dead-letters"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/dead-letters", { signal })), refetchInterval: 5_000 });
    const letters = read.data ?? [];
    return (
        <Page
            title="Dead letters"
            actions={
                <>
                    <CopyAsCommand request={{ operation: "GET /dead-letters" }} />
                    {letters.length > 0 && (
                        <Act
                            name="Redrive"
                            title="Redrive the dead letters"
                            consequences={[
                                "Messages about which nothing is left to do are removed.",
                                "The workers of operations that are still open are woken.",
                                unknown ? "Messages that cannot be read, or name an unknown operation, are removed too. They cannot be restored." : "Messages that cannot be read, or name an unknown operation, stay.",
                            ]}
                            confirm={unknown ? "remove" : undefined}
                            request={{ operation: "POST /dead-letters/redrive", body: { remove_unknown: unknown } }}
                            act={async () => {
                                const report = await body(api.POST("/api/super-admin/dead-letters/redrive", { body: { remove_unknown: unknown } }));
                                await renew("dead-letters", "audit");
                                announce(`${report.removed} removed, ${report.woken} woken, ${report.kept} kept`);
                            }}
                            done="The dead letters are processed"
                            // What cannot be restored must be chosen each time.
                            onClose={() => setUnknown(false)}
                        >
                            <label className="check">
                                <input type="checkbox" checked={unknown} onChange={(event) => setUnknown(event.target.checked)} /> Also remove messages that cannot be read or name an unknown operation
                            </label>
                        </Act>
                    )}
                </>
            }
        >
            <p className="muted">Messages that a queue gave up delivering, at most 100 of each queue. A message only wakes a worker; nothing is lost with it.</p>
            <Loaded read={read}>
                {(data) =>
                    data.length === 0 ? (
                        <Empty title="No dead letters" />
                    ) : (
                        <ul className="list">
                            {data.map((letter) => (
                                <li key={letter.id}>
                                    <span className="strong">{letter.queue}</span>
                                    <Badge value={letter.action} />
                                    <span>{MEANING[letter.action]}</span>
                                    <span className="push">
                                        <Time value={letter.sent_at} seconds />
                                    </span>
                                    {letter.operation_id && (
                                        <Link to="/operations/$id" params={{ id: letter.operation_id }}>
                                            Operation
                                        </Link>
                                    )}
                                    <code className="full">{letter.body}</code>
                                </li>
                            ))}
                        </ul>
                    )
                }
            </Loaded>
            <AsOf reads={[read]} />
        </Page>
    );
}
