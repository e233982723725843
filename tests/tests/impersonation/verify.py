"""Verifies a token of an impersonation as a service of the platform would: with PyJWT, against the published keys.

Arguments: URL of the keys, issuer, audience, by how many seconds this service's clock is off, token. Prints the claims as
JSON, or fails with what is wrong.
"""

import datetime
import json
import sys

import jwt
import jwt.api_jwt

url, issuer, audience, off, token = sys.argv[1:]


class Clock(datetime.datetime):
    """A clock that is off."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=int(off))


jwt.api_jwt.datetime = Clock
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(token)
claims = jwt.decode(
    token,
    key,
    algorithms=["EdDSA", "ES256"],
    issuer=issuer,
    audience=audience,
    # Clocks may be two minutes apart.
    leeway=120,
    options={"require": ["iss", "aud", "sub", "exp", "iat", "jti", "sid", "act", "tenant_id", "scope"]},
)
print(json.dumps({"header": jwt.get_unverified_header(token), "claims": claims}))
