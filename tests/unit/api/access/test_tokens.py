"""JSON Web Tokens: what is checked, and what they allow."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from api.access.tokens import TokenVerifier
from schemas.errors import ConfigurationError, TokenRefused

ISSUER, AUDIENCE = "https://issuer.example", "batch-orchestrator"
OURS, THEIRS = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

pytestmark = pytest.mark.anyio


@pytest.fixture
def verifier(tmp_path: Path) -> TokenVerifier:
    algorithm = jwt.get_algorithm_by_name("ES256")
    key = json.loads(algorithm.to_jwk(OURS.public_key())) | {"kid": "k1", "use": "sig"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key]}))
    return TokenVerifier(
        str(tmp_path / "jwks.json"),
        issuer=ISSUER,
        audience=AUDIENCE,
        scope_prefix="bos:",
        organisation_claim="org_id",
    )


def token(key: Any = OURS, algorithm: str = "ES256", kid: str = "k1", **claims: Any) -> str:
    every = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "teacher-1",
        "exp": time.time() + 60,
        "scope": "bos:write",
        **claims,
    }
    given = {name: value for name, value in every.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"kid": kid})


async def test_a_token_is_bound_to_its_subject_and_organisation(verifier: TokenVerifier) -> None:
    grant = await verifier.grant(token(org_id="org-1", scope="openid bos:read bos:write other:operate"))
    assert (grant.name, grant.subject, grant.organisation) == ("teacher-1", "teacher-1", "org-1")
    assert grant.scopes == {"read", "write"}


async def test_an_operators_token_is_bound_to_its_organisation_alone(verifier: TokenVerifier) -> None:
    grant = await verifier.grant(token(scope=None, scp=["bos:operate"], org_id="org-1"))
    assert (grant.subject, grant.organisation) == ("", "org-1")
    assert grant.scopes == {"operate"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://another.example"},
        {"aud": "another-service"},
        {"exp": time.time() - 3600},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\x00b"},
        {"org_id": 7},
        {"nbf": time.time() + 3600},
        {"kid": "k2"},
        {"key": THEIRS},
        {"key": "secret-of-at-least-thirty-two-bytes!", "algorithm": "HS256"},
    ],
)
async def test_a_wrong_token_is_refused_without_its_text(verifier: TokenVerifier, wrong: dict[str, Any]) -> None:
    given = token(**wrong)
    with pytest.raises(TokenRefused) as raised:
        await verifier.grant(given)
    assert given not in str(raised.value)


async def test_no_token_at_all_is_refused(verifier: TokenVerifier) -> None:
    for text in ("", "a.b.c", "bos_key"):
        with pytest.raises(TokenRefused):
            await verifier.grant(text)


def test_a_file_that_is_no_jwks_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text("[]")
    for path in (tmp_path / "jwks.json", tmp_path / "missing.json"):
        with pytest.raises(ConfigurationError, match="JWT_JWKS"):
            TokenVerifier(str(path), issuer="i", audience="a", scope_prefix="", organisation_claim="org_id")
