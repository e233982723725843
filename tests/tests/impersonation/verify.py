"""Verifies a token of an impersonation as a service of the platform would: with PyJWT, against the published keys.

Arguments: URL of the keys, issuer, audience, token. Prints the claims as JSON, or fails with what is wrong.
"""

import json
import sys

import jwt

url, issuer, audience, token = sys.argv[1:]
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
