"""A service of the platform, in Python: verifies impersonations, follows the events, and reports health and usage.

python3 service.py verify TOKEN | follow GROUP | count TENANT | serve PORT
"""

import json
import os
import sys
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from confluent_kafka import Consumer, KafkaException
from redis import Redis
from redis.exceptions import RedisError

API_URL = os.environ["API_URL"]
KEYS = jwt.PyJWKClient(f"{API_URL}/.well-known/jwks.json", lifespan=300, timeout=5)
REDIS = Redis.from_url(
    os.environ["REDIS_URL"],
    ssl_ca_certs=os.environ["REDIS_CA_FILE"],
    decode_responses=True,
    socket_timeout=2,
    socket_connect_timeout=2,
)
KAFKA = {
    "bootstrap.servers": os.environ["KAFKA_BROKERS"],
    "security.protocol": os.environ["KAFKA_SECURITY_PROTOCOL"],
    "ssl.ca.location": os.environ["KAFKA_CA_FILE"],
    "sasl.mechanism": os.environ["KAFKA_SASL_MECHANISM"],
    "sasl.username": os.environ["KAFKA_SASL_USERNAME"],
    "sasl.password": os.environ["KAFKA_SASL_PASSWORD"],
}


# snippet: verify
def verify(token: str) -> dict:
    """Returns the claims of a live impersonation, or raises an error. Then the request must be refused."""
    if jwt.get_unverified_header(token).get("typ") != "impersonation+jwt":
        raise jwt.InvalidTokenError("this is not the token of an impersonation")
    claims = jwt.decode(
        token,
        KEYS.get_signing_key_from_jwt(token),
        algorithms=["EdDSA", "ES256"],
        issuer="landlord",
        audience="landlord-platform",
        leeway=120,
        options={"require": ["iss", "aud", "sub", "act", "sid", "tenant_id", "scope", "iat", "exp"]},
    )
    sid = claims["sid"]
    live, denied = REDIS.mget(f"impersonation:live:{sid}", f"impersonation:denied:{sid}")
    if denied is not None or live != f"{claims['tenant_id']}:{claims['sub']}:{claims['scope']}":
        raise jwt.InvalidTokenError("the impersonation has ended")
    return claims


# snippet: follow
def follow(group: str, handle) -> None:
    """Calls `handle` with each event. If this program dies in between, it gets the same event again."""
    consumer = Consumer({
        **KAFKA,
        "group.id": group,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([os.environ["KAFKA_TOPIC"]])
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        handle(json.loads(message.value()))
        consumer.commit(message, asynchronous=False)


# snippet: count
def count_message(tenant_id: str) -> None:
    """Counts one message of a tenant in this month. The counter is kept for two months."""
    key = f"usage:{tenant_id}:{datetime.now(timezone.utc):%Y%m}:messages"
    REDIS.pipeline().incr(key).expire(key, 62 * 24 * 3600).execute()


# snippet: health
class Health(BaseHTTPRequestHandler):
    """Answers 200 while this service can work, and 503 otherwise. The stores that it needs decide."""

    def do_GET(self) -> None:
        try:
            REDIS.ping()
            status = 200
        except RedisError:
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


# end of the snippets
def main(command: str, argument: str) -> None:
    if command == "verify":
        print(json.dumps(verify(argument)))
    elif command == "follow":
        follow(argument, lambda event: print(json.dumps(event), flush=True))
    elif command == "count":
        count_message(argument)
    elif command == "serve":
        ThreadingHTTPServer(("127.0.0.1", int(argument)), Health).serve_forever()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
