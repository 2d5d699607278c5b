"""The three scopes of credentials, and what each allows.

| scope | allows |
|---|---|
| `read` | every batch within the credential's bounds; dead letters where it has no bounds |
| `write` | registers batches; reads and controls its own |
| `operate` | everything: reads and controls every batch within its bounds; dead letters where it has no bounds |
"""

from collections.abc import Iterable
from typing import Literal, cast, get_args

from msgspec import Struct

from api.auth import LETTERS_READ, LETTERS_WRITE, READ, READ_ANY_OWNER, READ_ORGANISATION, WRITE
from schemas.internal.events import Principal
from state.decision.requests import ANY_OWNER, ORGANISATION

AccessScope = Literal["read", "write", "operate"]
ACCESS_SCOPES: tuple[AccessScope, ...] = get_args(AccessScope)


class Grant(Struct, frozen=True, kw_only=True):
    """What a checked credential allows."""

    name: str
    """Name of the key, or the token's subject: shown in histories, and the unit of the rate limit."""
    scopes: frozenset[AccessScope]
    subject: str = ""
    """Bound: only batches of this owner. Empty: none."""
    organisation: str = ""
    """Bound: only batches of this organisation. Empty: none."""

    def principal(self, user: str = "", organisation: str = "") -> Principal | None:
        """Return the principal of a request that names `user` and `organisation`; None if the bounds forbid them.

        A credential without a bound to a subject may act for a user: it has no more rights then than that user.
        """
        if self.subject and user not in {"", self.subject}:
            return None
        if self.organisation and organisation not in {"", self.organisation}:
            return None
        organisation = self.organisation or organisation
        subject = self.subject or user
        scopes = self._own() if subject else self._wide(bound=bool(organisation))
        return Principal(subject=subject or self.name, organisation=organisation, scopes=scopes, verified=True)

    def _own(self) -> tuple[str, ...]:
        """Return the scopes of a caller that reaches its own batches only."""
        if self.scopes & {"write", "operate"}:
            return (READ, WRITE)
        return (READ,)

    def _wide(self, *, bound: bool) -> tuple[str, ...]:
        found: list[str] = [READ]
        if self.scopes & {"write", "operate"}:
            found.append(WRITE)
        if "read" in self.scopes:
            found += [READ_ORGANISATION] if bound else [READ_ANY_OWNER, LETTERS_READ]
        if "operate" in self.scopes:
            found += [ORGANISATION] if bound else [ANY_OWNER, LETTERS_READ, LETTERS_WRITE]
        return tuple(dict.fromkeys(found))


def parse_scopes(words: Iterable[str]) -> frozenset[AccessScope]:
    """Return the scopes with these names. Raises `ValueError` naming the first that is none."""
    found = frozenset(words)
    for word in sorted(found):
        if word not in ACCESS_SCOPES:
            raise ValueError(f"{word!r} is no scope; there are {', '.join(ACCESS_SCOPES)}")
    return cast("frozenset[AccessScope]", found)
