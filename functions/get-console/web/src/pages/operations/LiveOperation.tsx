import { Badge } from "../../ui/data";
import { Loaded } from "../../ui/state";
import { STATES, Steps } from "./Steps";
import { useOperation } from "./useOperation";

/** An operation, followed until its end. */
export function LiveOperation({ id }: { id: string }) {
    const read = useOperation(id);
    return (
        <Loaded read={read}>
            {({ data }) => (
                <div className="operation">
                    <p role="status">
                        <Badge value={data.status} /> <span>{STATES[data.status]}</span>
                    </p>
                    <Steps operation={data} />
                </div>
            )}
        </Loaded>
    );
}
