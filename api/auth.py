"""The principal of a request without a credential, and what the scopes of any principal allow.

A request without identity headers is anonymous and has the scopes of the setting ANONYMOUS_SCOPES. `X-User-ID` and
`X-Org-ID` name a user and an organisation without proof; such a caller sees and controls its own batches only.
Credentials are checked in `api.access`.
"""

from api.headers import Raw, header
from schemas.errors import InvalidIdentity
from schemas.internal.events import Principal
from schemas.text import unusable_character
from state.decision.requests import ANY_OWNER, ORGANISATION
from state.projection import EVERYTHING, Visibility

READ = "batches:read"
WRITE = "batches:write"
READ_ANY_OWNER = "batches:read-any-owner"
"""Scope that reads the batches of every owner, and controls none of others."""
READ_ORGANISATION = "batches:read-organisation"
"""Scope that reads every batch of the principal's organisation."""
LETTERS_READ = "dead-letters:read"
"""Scope that reads dead letters, which are records of any owner."""
LETTERS_WRITE = "dead-letters:write"
"""Scope that replays and discards dead letters."""
ALL_SCOPES = (READ, WRITE, ANY_OWNER, LETTERS_READ, LETTERS_WRITE)
_NAMED_SCOPES = (READ, WRITE)
USER_HEADER = "x-user-id"
ORGANISATION_HEADER = "x-org-id"
_LONGEST_NAME = 255


def principal_of(headers: Raw, anonymous_scopes: tuple[str, ...]) -> Principal:
    """Return the caller. Raises `InvalidIdentity` for a name that is too long or has control characters."""
    subject, organisation = name_in(headers, USER_HEADER), name_in(headers, ORGANISATION_HEADER)
    if not subject:
        return Principal(organisation=organisation, scopes=anonymous_scopes)
    return Principal(subject=subject, organisation=organisation, scopes=_NAMED_SCOPES)


def may(principal: Principal, scope: str) -> bool:
    """Whether the principal has `scope`."""
    return scope in principal.scopes


def may_reach(principal: Principal, owner_organisation: str, owner_subject: str) -> bool:
    """Whether the principal may see a batch of that owner; whether it may control it, `decide` says."""
    if reads_all(principal):
        return True
    if reads_organisation(principal) and owner_organisation == principal.organisation:
        return True
    return (principal.organisation, principal.subject) == (owner_organisation, owner_subject)


def visibility_of(principal: Principal) -> Visibility:
    """Return whose batches the principal may see in lists, counts and streams; `may_reach` says it of one batch."""
    if reads_all(principal):
        return EVERYTHING
    if reads_organisation(principal):
        return Visibility(owner_organisation=principal.organisation)
    return Visibility(owner_subject=principal.subject, owner_organisation=principal.organisation)


def reads_all(principal: Principal) -> bool:
    """Whether the principal may see the batches of every owner."""
    return ANY_OWNER in principal.scopes or READ_ANY_OWNER in principal.scopes


def reads_organisation(principal: Principal) -> bool:
    """Whether the principal may see every batch of its organisation."""
    return ORGANISATION in principal.scopes or READ_ORGANISATION in principal.scopes


def name_in(headers: Raw, name: str) -> str:
    """Return the name in an identity header, or an empty text. Raises `InvalidIdentity`."""
    value = (header(headers, name) or "").strip()
    if len(value) > _LONGEST_NAME or unusable_character(value) is not None:
        raise InvalidIdentity(
            f"{name} must be at most {_LONGEST_NAME} characters, none of them a control character.",
            next_step="Correct the header, then send the request again.",
        )
    return value
