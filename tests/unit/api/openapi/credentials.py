"""Credentials of every kind, of an api with access control: what callers send, and the settings that know them."""

import json
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from api.access.keys import line_of

OWNER, ORGANISATION = "teacher-001", "school-7"
"""The user and the organisation of the document's examples."""
_ISSUER, _AUDIENCE = "https://issuer.example", "batch-orchestrator"
_DAY_S = 86_400.0
_KEYS = {
    "reader": line_of("reader", "bos_reader", ("read",)),
    "gateway": line_of("gateway", "bos_gateway", ("write",)),
    "operator": line_of("operator", "bos_operator", ("operate",)),
    "owner": line_of("owner", "bos_owner", ("write",), owner=OWNER),
    "school": line_of("school", "bos_school", ("operate",), organisation=ORGANISATION),
}


class Credentials:
    """The settings of the api, and what a caller of each kind sends as `Authorization: Bearer`."""

    def __init__(self, directory: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(key.public_key())) | {"kid": "k1", "use": "sig"}
        jwks = directory / "jwks.json"
        jwks.write_text(json.dumps({"keys": [public]}))
        self.settings: dict[str, str] = {
            "api_keys": "\n".join(_KEYS.values()),
            "jwt_jwks": str(jwks),
            "jwt_issuer": _ISSUER,
            "jwt_audience": _AUDIENCE,
        }

        def token(scope: str, lasts_s: float) -> str:
            claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": OWNER, "scope": scope, "exp": time.time() + lasts_s}
            return jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k1"})

        self.valid: dict[str, str] = {
            **{name: f"bos_{name}" for name in _KEYS},
            "token": token("bos:read bos:write bos:operate", _DAY_S),
        }
        self.invalid: dict[str, str | None] = {
            "none": None,
            "unknown key": "bos_unknown",
            "token of yesterday": token("bos:operate", -_DAY_S),
        }
