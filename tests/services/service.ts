// A service of the platform, in TypeScript: verifies impersonations, follows the events, and reports health and usage.
//
// node service.ts verify TOKEN | follow GROUP | count TENANT | serve PORT

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";

import { Consumer, FetchIsolationLevels, stringDeserializers, type SASLMechanismValue } from "@platformatic/kafka";
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from "jose";
import { createClient } from "redis";

const env = (name: string): string => {
    const value = process.env[name];
    if (value === undefined) throw new Error(`${name} is missing`);
    return value;
};

const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", env("API_URL")), {
    cacheMaxAge: 300_000,
    timeoutDuration: 5_000,
});
const redis = createClient({
    url: env("REDIS_URL"),
    disableOfflineQueue: true,
    socket: { connectTimeout: 2_000, tls: true, ca: readFileSync(env("REDIS_CA_FILE")) },
});
const kafka = {
    bootstrapBrokers: env("KAFKA_BROKERS").split(","),
    tls: { ca: readFileSync(env("KAFKA_CA_FILE")) },
    sasl: {
        mechanism: env("KAFKA_SASL_MECHANISM") as SASLMechanismValue,
        username: env("KAFKA_SASL_USERNAME"),
        password: env("KAFKA_SASL_PASSWORD"),
    },
};
// The client connects again by itself; meanwhile each command fails.
redis.on("error", () => {});

/** Limits the wait for an answer, because a server that hangs keeps its connections. */
const within = <T>(answer: Promise<T>, milliseconds: number): Promise<T> => {
    const late = setTimeout(milliseconds, undefined, { ref: false });
    return Promise.race([answer, late.then(() => Promise.reject(new Error("Redis does not answer")))]);
};

// snippet: verify
/** Returns the claims of a live impersonation, or throws. Then the request must be refused. */
async function verify(token: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(token, keys, {
        typ: "impersonation+jwt",
        algorithms: ["EdDSA", "ES256"],
        issuer: "landlord",
        audience: "landlord-platform",
        clockTolerance: 120,
        requiredClaims: ["sub", "act", "sid", "tenant_id", "scope", "iat", "exp"],
    });
    const { sid, tenant_id, sub, scope } = payload;
    const keysOfSession = [`impersonation:live:${sid}`, `impersonation:denied:${sid}`];
    const [live, denied] = await within(redis.mGet(keysOfSession), 2_000);
    if (denied !== null || live !== `${tenant_id}:${sub}:${scope}`) {
        throw new Error("the impersonation has ended");
    }
    return payload;
}

// snippet: follow
/** Calls `handle` with each event. If this program dies in between, it gets the same event again. */
async function follow(group: string, handle: (event: unknown) => Promise<void> | void): Promise<never> {
    const consumer = new Consumer({
        clientId: group,
        groupId: group,
        ...kafka,
        deserializers: stringDeserializers,
    });
    const messages = await consumer.consume({
        topics: [env("KAFKA_TOPIC")],
        isolationLevel: FetchIsolationLevels.READ_COMMITTED,
        mode: "committed",
        fallbackMode: "earliest",
        autocommit: false,
    });
    for await (const message of messages) {
        await handle(JSON.parse(message.value));
        await message.commit();
    }
    throw new Error("the stream has ended");
}

// snippet: count
/** Counts one message of a tenant in this month. The counter is kept for two months. */
async function countMessage(tenantId: string): Promise<void> {
    const month = new Date().toISOString().slice(0, 7).replace("-", "");
    const key = `usage:${tenantId}:${month}:messages`;
    await redis.multi().incr(key).expire(key, 62 * 24 * 3600).exec();
}

// snippet: health
/** Answers 200 while this service can work, and 503 otherwise. The stores that it needs decide. */
const health = createServer(async (_request, response) => {
    const ready = await within(redis.ping(), 2_000).then(() => true, () => false);
    response.writeHead(ready ? 200 : 503).end();
});

// end of the snippets
async function main(command: string | undefined, argument: string): Promise<void> {
    switch (command) {
        case "verify":
            await redis.connect();
            console.log(JSON.stringify(await verify(argument)));
            break;
        case "follow":
            return follow(argument, (event) => console.log(JSON.stringify(event)));
        case "count":
            await redis.connect();
            await countMessage(argument);
            break;
        case "serve":
            void redis.connect();
            health.listen(Number(argument), "127.0.0.1");
            return;
        default:
            throw new Error("usage: verify TOKEN | follow GROUP | count TENANT | serve PORT");
    }
    await redis.close();
}

main(process.argv[2], process.argv[3] ?? "").catch((error: unknown) => {
    console.error(error);
    process.exit(1);
});
