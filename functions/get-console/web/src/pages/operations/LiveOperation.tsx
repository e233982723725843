import { now } from "../../api/clock";
import { Badge } from "../../ui/data";
import { Loaded } from "../../ui/state";
import { stateOf } from "./kinds";
import { Steps } from "./Steps";
import { useOperation } from "./useOperation";

/** An operation, followed until its end. */
export function LiveOperation({ id }: { id: string }) {
    const read = useOperation(id);
    return (
        <Loaded read={read}>
            {({ data }) => (
                <div className="operation">
                    <p role="status">
                        <Badge value={data.status} /> <span>{stateOf(data, now())}</span>
                    </p>
                    <Steps operation={data} />
                </div>
            )}
        </Loaded>
    );
}
