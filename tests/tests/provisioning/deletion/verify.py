"""Verifies the receipt of a deleted tenant with PyJWT and the published keys. Arguments: URL of the keys, receipt. Prints header and claims as JSON."""

import json
import sys

import jwt

url, receipt = sys.argv[1:]
header = jwt.get_unverified_header(receipt)
if header["typ"] != "tenant-receipt+jwt":
    raise jwt.InvalidTokenError("this is not a receipt")
key = jwt.PyJWKClient(url).get_signing_key_from_jwt(receipt)
claims = jwt.decode(receipt, key, algorithms=["EdDSA", "ES256"], issuer="landlord", options={"require": ["iss", "sub", "iat", "jti"]})
print(json.dumps({"header": header, "claims": claims}))
