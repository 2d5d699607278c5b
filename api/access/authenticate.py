"""From the headers of a request to its principal."""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from api.access.keys import PREFIX, ApiKeys, parse_api_keys
from api.access.scopes import Grant
from api.access.tokens import TokenVerifier
from api.auth import ORGANISATION_HEADER, USER_HEADER, name_in, principal_of
from api.errors import Problem, not_ready
from api.headers import header
from api.settings import ApiSettings
from schemas.errors import Code, InvalidIdentity, TokenRefused, TokensUnavailable
from schemas.internal.events import Principal

COOKIE = "bos_key"
"""Cookie of a browser that has logged in; its value is the API key."""
KEY_HEADER = "x-api-key"
"""Header of a caller that sends an API key outside of `Authorization`."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="batch-orchestrator"'}
_HOW = "Send an API key or a token as `Authorization: Bearer …`, or log in at /login with a browser."


class Authenticator:
    """Checks credentials as the settings say. Raises `ConfigurationError` for wrong settings."""

    def __init__(self, settings: ApiSettings) -> None:
        keys = settings.api_keys
        self._keys = ApiKeys({}) if keys is None else parse_api_keys(keys.get_secret_value())
        self._tokens = (
            TokenVerifier(
                settings.jwt_jwks,
                issuer=settings.jwt_issuer or "",
                audience=settings.jwt_audience or "",
                scope_prefix=settings.jwt_scope_prefix,
                organisation_claim=settings.jwt_organisation_claim,
            )
            if settings.jwt_jwks
            else None
        )
        self._anonymous_scopes = settings.scopes_of_anonymous
        self._required = settings.credentials_required

    async def principal(self, raw: Iterable[tuple[bytes, bytes]]) -> tuple[Principal, str]:
        """Return the caller and the name that its requests are counted under.

        Raises `Problem` 400 for an invalid identity header, 401 without a valid credential where one is needed, 403
        where the credential may not act for the user or organisation that the headers name, 503 if the keys of a
        token's issuer cannot be fetched.
        """
        headers = list(raw)
        try:
            user, organisation = name_in(headers, USER_HEADER), name_in(headers, ORGANISATION_HEADER)
            grant = await self._grant(headers)
            if grant is None:
                if self._required:
                    raise _unauthenticated("The request has no credential.")
                principal = principal_of(headers, self._anonymous_scopes)
                return principal, f"claimed:{principal.organisation}:{principal.subject}"
        except InvalidIdentity as error:
            raise Problem(
                400, error.code, error.message, next_step=error.next_step, error="Validation Error"
            ) from error
        found = grant.principal(user, organisation)
        if found is None:
            raise Problem(
                403,
                Code.SCOPE,
                "The credential is bound to another user or organisation than X-User-ID or X-Org-ID names.",
                next_step="Leave the headers out, or use a credential without that bound.",
                error="Forbidden",
            )
        return found, f"verified:{grant.name}"

    def knows(self, key: str) -> bool:
        """Return whether an API key is valid."""
        return self._keys.grant(key) is not None

    async def _grant(self, headers: list[tuple[bytes, bytes]]) -> Grant | None:
        """Return what the credential allows; None where the request has none."""
        credential = _credential(headers)
        if credential is None:
            return None
        if self._tokens is None or credential.startswith(PREFIX):
            grant = self._keys.grant(credential)
            if grant is None:
                raise _unauthenticated("The API key is not known.")
            return grant
        try:
            return await self._tokens.grant(credential)
        except TokenRefused as error:
            raise _unauthenticated(error.message) from error
        except TokensUnavailable as error:
            raise not_ready(error.message, next_step=error.next_step, retry_after_s=5) from error


def _credential(headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return the API key or token of a request; None where it has none. The first of header and cookie counts."""
    authorization = header(headers, "authorization")
    if authorization is not None:
        kind, _, value = authorization.strip().partition(" ")
        if kind.lower() != "bearer" or not value.strip():
            raise _unauthenticated("The header Authorization is not of the form `Bearer CREDENTIAL`.")
        return value.strip()
    key = header(headers, KEY_HEADER)
    return key.strip() if key else _cookie(header(headers, "cookie"))


def _cookie(text: str | None) -> str | None:
    if not text:
        return None
    try:
        morsel = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None and morsel.value else None


def _unauthenticated(what: str) -> Problem:
    return Problem(401, Code.UNAUTHENTICATED, what, next_step=_HOW, error="Unauthorized", headers=_CHALLENGE)
