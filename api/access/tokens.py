"""JSON Web Tokens, checked with PyJWT: signature by a key of the JWKS, issuer, audience and times."""

import asyncio
import json
from pathlib import Path
from typing import Any

import jwt

from api.access.scopes import ACCESS_SCOPES, Grant
from schemas.errors import ConfigurationError, TokenRefused, TokensUnavailable
from schemas.text import unusable_character

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric ones only: a verifier that also took HMAC could be given its own public key as the secret."""
_LEEWAY_S = 30
"""Seconds that the clocks of issuer and verifier may differ."""
_FETCH_S = 5
_KEYS_FOR_S = 300


class TokenVerifier:
    """Checks tokens against the keys of a JWKS, a file or an HTTPS address that is asked again every five minutes.

    Raises `ConfigurationError` if the file cannot be read.
    """

    def __init__(self, jwks: str, *, issuer: str, audience: str, scope_prefix: str, organisation_claim: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._scope_prefix = scope_prefix
        self._organisation_claim = organisation_claim
        self._remote: jwt.PyJWKClient | None = None
        self._keys: jwt.PyJWKSet | None = None
        if jwks.startswith("https://"):
            self._remote = jwt.PyJWKClient(jwks, lifespan=_KEYS_FOR_S, timeout=_FETCH_S)
        else:
            self._keys = _read(jwks)

    async def grant(self, token: str) -> Grant:
        """Return what a token allows. Raises `TokenRefused` or `TokensUnavailable`."""
        try:
            key = await self._key(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise TokensUnavailable from error
        except jwt.PyJWTError as error:
            raise TokenRefused(f"{type(error).__name__}: {error}") from error
        return self._granted(claims)

    async def _key(self, token: str) -> jwt.PyJWK:
        if self._remote is not None:
            return await asyncio.to_thread(self._remote.get_signing_key_from_jwt, token)
        assert self._keys is not None
        wanted = jwt.get_unverified_header(token).get("kid")
        fitting = [key for key in self._keys.keys if wanted is None or key.key_id == wanted]
        if len(fitting) != 1:
            raise TokenRefused("it names no key of the JWKS")
        return fitting[0]

    def _granted(self, claims: dict[str, Any]) -> Grant:
        given = claims.get("scope", claims.get("scp", ()))
        words = given.split() if isinstance(given, str) else [word for word in given if isinstance(word, str)]
        scopes = frozenset(scope for scope in ACCESS_SCOPES if self._scope_prefix + scope in words)
        subject, organisation = claims["sub"], claims.get(self._organisation_claim) or ""
        if not isinstance(organisation, str):
            raise TokenRefused(f"its claim {self._organisation_claim} is no text")
        if not subject or unusable_character(subject + organisation) is not None:
            raise TokenRefused("its subject or organisation is empty or holds a control character")
        own = "operate" not in scopes
        return Grant(name=subject, scopes=scopes, subject=subject if own else "", organisation=organisation)


def _read(path: str) -> jwt.PyJWKSet:
    try:
        return jwt.PyJWKSet.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError, jwt.PyJWTError) as error:
        raise ConfigurationError(
            f"JWT_JWKS: {path} is not a readable JWKS file ({type(error).__name__}).",
            next_step="Name a file with a JSON Web Key Set, or an https:// address of one.",
        ) from error
