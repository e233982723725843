import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { api, body } from "../api/client";
import { announce } from "../ui/announce";
import { Act } from "../ui/Act";
import { CopyAsCurl } from "../ui/Copy";
import { Page } from "../ui/Page";
import { Badge, Time } from "../ui/data";
import { Empty, Loaded } from "../ui/state";

const MEANING = { remove: "Its operation has ended; the message is removed.", wake: "Its operation is open, and is woken.", keep: "It cannot be read, and stays unless you choose otherwise." };

export function DeadLetters() {
    const queries = useQueryClient();
    const [unknown, setUnknown] = useState(false);
    const read = useQuery({ queryKey: ["dead-letters"], queryFn: ({ signal }) => body(api.GET("/api/super-admin/dead-letters", { signal })), refetchInterval: 5_000 });
    const letters = read.data ?? [];
    return (
        <Page
            title="Dead letters"
            actions={
                <>
                    <CopyAsCurl request={{ path: "/dead-letters" }} />
                    {letters.length > 0 && (
                        <Act
                            operation="POST /dead-letters/redrive"
                            name="Redrive"
                            title="Redrive the dead letters"
                            consequences={["Messages of operations that have ended are removed.", "Operations that are still open are woken.", unknown ? "Messages that cannot be read are removed, too. They cannot be restored." : "Messages that cannot be read stay."]}
                            request={{ method: "POST", path: "/dead-letters/redrive", body: { remove_unknown: unknown } }}
                            act={async () => {
                                const report = await body(api.POST("/api/super-admin/dead-letters/redrive", { body: { remove_unknown: unknown } }));
                                await queries.invalidateQueries({ queryKey: ["dead-letters"] });
                                announce(`${report.removed} removed, ${report.woken} woken, ${report.kept} kept`);
                            }}
                            done="The dead letters are processed"
                        >
                            <label className="check">
                                <input type="checkbox" checked={unknown} onChange={(event) => setUnknown(event.target.checked)} /> Also remove messages that cannot be read
                            </label>
                        </Act>
                    )}
                </>
            }
        >
            <p className="muted">Messages that a queue gave up delivering. A message only wakes a worker; nothing is lost with it.</p>
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
                                    <code className="full">{letter.body.slice(0, 500)}</code>
                                </li>
                            ))}
                        </ul>
                    )
                }
            </Loaded>
        </Page>
    );
}
