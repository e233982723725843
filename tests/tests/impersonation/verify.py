"""Verifies the token of an impersonation with PyJWT, the published keys and Redis, as a service of the platform would.

Arguments: URL of the keys, issuer, audience, offset of this service's clock in seconds, URL of Redis, file of its authority, token. Prints the claims
as JSON, or fails with the reason.
"""

import datetime
import json
import socket
import ssl
import sys
from urllib.parse import urlsplit

import jwt
import jwt.api_jwt

url, issuer, audience, offset, redis, authority, token = sys.argv[1:]


class Clock(datetime.datetime):
    """A clock with an offset."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=int(offset))


class NotLive(Exception):
    """The impersonation has ended, or Redis does not contain it."""


def mget(*keys):
    """The values of keys in Redis. A service would use a client library; two commands do not need one."""
    server = urlsplit(redis)
    tls = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection((server.hostname, server.port), timeout=1) as plain,
        tls.wrap_socket(plain, server_hostname=server.hostname) as connection,
    ):
        stream = connection.makefile("rwb")
        for command in (("AUTH", server.username, server.password), ("MGET", *keys)):
            parts = [part.encode() for part in command]
            stream.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            stream.flush()
            answer = stream.readline()
        assert answer == b"*%d\r\n" % len(keys), answer
        lengths = (int(stream.readline()[1:]) for _ in keys)
        return [stream.read(length + 2)[:-2].decode() if length >= 0 else None for length in lengths]


jwt.api_jwt.datetime = Clock
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token,
    key,
    algorithms=["EdDSA", "ES256"],
    issuer=issuer,
    audience=audience,
    # Clocks may differ by two minutes.
    leeway=120,
    options={"require": ["iss", "aud", "sub", "exp", "iat", "jti", "sid", "act", "tenant_id", "scope"]},
)
sid = claims["sid"]
live, denied = mget(f"impersonation:live:{sid}", f"impersonation:denied:{sid}")
# An error of Redis refuses the token too, because it ends the program.
if live != f"{claims['tenant_id']}:{claims['sub']}:{claims['scope']}" or denied is not None:
    raise NotLive(sid)
print(json.dumps({"header": jwt.get_unverified_header(token), "claims": claims}))
