"""API keys: random, shown once, and stored as a SHA-256 digest.

A key has 256 random bits, so a plain digest cannot be reversed by guessing; a slow password hash would only make each
request slower.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping

from api.access.scopes import AccessScope, Grant, parse_scopes
from schemas.errors import ConfigurationError
from schemas.text import unusable_character

PREFIX = "bos_"
"""Every key starts with it, so that scanners of leaked secrets find it."""
_RANDOM_BYTES = 32
_SETTING = "API_KEYS"
_FIELDS = frozenset({"sha256", "scopes", "owner", "organisation"})
_NEXT_STEP = (
    "Write one key a line: NAME sha256=DIGEST scopes=read,write,operate [owner=USER] [organisation=ORG]; "
    "`bos access new-key NAME` prints such a line."
)


class ApiKeys:
    """The known keys, by digest."""

    def __init__(self, grants: Mapping[str, Grant]) -> None:
        self._grants = dict(grants)

    def __len__(self) -> int:
        return len(self._grants)

    def grant(self, key: str) -> Grant | None:
        """Return what a key allows; None if it is unknown."""
        return self._grants.get(digest_of(key))


def new_key() -> str:
    """Return a new key."""
    return PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def digest_of(key: str) -> str:
    """Return the SHA-256 digest of a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def line_of(name: str, key: str, scopes: Iterable[AccessScope], owner: str = "", organisation: str = "") -> str:
    """Return the line of the setting API_KEYS for a key."""
    parts = [name, f"sha256={digest_of(key)}", f"scopes={','.join(sorted(scopes))}"]
    parts += [f"owner={owner}"] if owner else []
    parts += [f"organisation={organisation}"] if organisation else []
    return " ".join(parts)


def parse_api_keys(text: str) -> ApiKeys:
    """Return the keys of the setting API_KEYS: one a line, also separated by semicolons; `#` starts a comment.

    Raises `ConfigurationError` that names the line, and never shows its digest.
    """
    grants: dict[str, Grant] = {}
    names: set[str] = set()
    for number, line in enumerate(text.replace(";", "\n").splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        digest, grant = _parse(number, words)
        if grant.name in names or digest in grants:
            raise _wrong(number, f"the key {grant.name} is given twice")
        names.add(grant.name)
        grants[digest] = grant
    return ApiKeys(grants)


def _parse(number: int, words: list[str]) -> tuple[str, Grant]:
    name, fields = words[0], {}
    if "=" in name or unusable_character(name):
        raise _wrong(number, "it does not start with the name of the key")
    for word in words[1:]:
        field, separator, value = word.partition("=")
        if not separator or field not in _FIELDS or field in fields or not value:
            raise _wrong(number, f"of the key {name}: {field!r} is no field, has no value, or is given twice")
        fields[field] = value
    digest = fields.get("sha256", "").lower()
    if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise _wrong(number, f"the key {name} has no SHA-256 digest of 64 hexadecimal digits")
    try:
        scopes = parse_scopes(word for word in fields.get("scopes", "").split(",") if word)
    except ValueError as error:
        raise _wrong(number, f"of the key {name}: {error}") from None
    if not scopes:
        raise _wrong(number, f"the key {name} has no scopes")
    return digest, Grant(
        name=name, scopes=scopes, subject=fields.get("owner", ""), organisation=fields.get("organisation", "")
    )


def _wrong(number: int, what: str) -> ConfigurationError:
    return ConfigurationError(f"{_SETTING}, line {number}: {what}.", next_step=_NEXT_STEP)
