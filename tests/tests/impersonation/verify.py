"""Verifies the token of an impersonation with PyJWT and the published keys, as a service of the platform would.

Arguments: URL of the keys, issuer, audience, offset of this service's clock in seconds, token. Prints the claims as JSON, or
fails with the reason.
"""

import datetime
import json
import sys

import jwt
import jwt.api_jwt

url, issuer, audience, offset, token = sys.argv[1:]


class Clock(datetime.datetime):
    """A clock with an offset."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=int(offset))


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
print(json.dumps({"header": jwt.get_unverified_header(token), "claims": claims}))
