"""API keys: made once, found by digest, with the rights of their line."""

import pytest

from api.access.keys import PREFIX, line_of, new_key, parse_api_keys
from api.access.scopes import Grant
from api.auth import LETTERS_READ, LETTERS_WRITE, READ, READ_ANY_OWNER, READ_ORGANISATION, WRITE
from schemas.errors import ConfigurationError
from state.decision.requests import ANY_OWNER, ORGANISATION

DIGEST = "ab" * 32


def test_a_new_key_is_known_by_its_line_alone() -> None:
    key, other = new_key(), new_key()
    assert key.startswith(PREFIX)
    keys = parse_api_keys(line_of("gateway", key, ("read", "write"), "teacher-1", "org-1"))
    assert keys.grant(other) is None
    assert keys.grant(key) == Grant(
        name="gateway", scopes=frozenset({"read", "write"}), subject="teacher-1", organisation="org-1"
    )


def test_keys_stand_on_lines_or_between_semicolons() -> None:
    lines = [f"{name} sha256={digest * 32} scopes=read" for name, digest in (("a", "ab"), ("b", "cd"), ("c", "ef"))]
    text = f"# keys\n\n{lines[0]} # the first\n{lines[1]}; {lines[2]}"
    assert len(parse_api_keys(text)) == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sha256=ab scopes=read", "does not start with the name"),
        ("a scopes=read", "64 hexadecimal"),
        (f"a sha256={DIGEST}", "has no scopes"),
        (f"a sha256={DIGEST} scopes=admin", "'admin' is no scope; there are read, write, operate"),
        (f"a sha256={DIGEST} scopes=read owner=", "'owner'"),
        (f"a sha256={DIGEST} scopes=read colour=red", "'colour' is no field"),
        (f"a sha256={DIGEST} scopes=read\na sha256={'cd' * 32} scopes=read", "line 2: the key a is given twice"),
        (f"a sha256={DIGEST} scopes=read\nb sha256={DIGEST} scopes=read", "line 2: the key b is given twice"),
    ],
)
def test_a_wrong_line_is_named_and_its_digest_is_not_shown(line: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_api_keys(line)
    assert said in raised.value.message
    assert DIGEST not in raised.value.message


@pytest.mark.parametrize(
    ("scopes", "subject", "organisation", "found"),
    [
        ({"read"}, "", "", {READ, READ_ANY_OWNER, LETTERS_READ}),
        ({"read"}, "", "org", {READ, READ_ORGANISATION}),
        ({"read"}, "me", "", {READ}),
        ({"write"}, "", "", {READ, WRITE}),
        ({"read", "write"}, "", "", {READ, WRITE, READ_ANY_OWNER, LETTERS_READ}),
        ({"operate"}, "", "", {READ, WRITE, ANY_OWNER, LETTERS_READ, LETTERS_WRITE}),
        ({"operate"}, "", "org", {READ, WRITE, ORGANISATION}),
        ({"operate"}, "me", "org", {READ, WRITE}),
    ],
)
def test_scopes_and_bounds_give_the_rights(scopes: set[str], subject: str, organisation: str, found: set[str]) -> None:
    grant = Grant(name="key", scopes=frozenset(scopes), subject=subject, organisation=organisation)  # type: ignore[arg-type]
    principal = grant.principal()
    assert principal is not None
    assert set(principal.scopes) == found
    assert (principal.subject, principal.organisation) == (subject or "key", organisation)
    assert principal.verified


def test_a_key_may_act_for_a_user_within_its_bounds_with_no_more_rights_than_the_user() -> None:
    gateway = Grant(name="gateway", scopes=frozenset({"operate"}), organisation="org")
    acting = gateway.principal("teacher-1", "org")
    assert acting is not None
    assert (acting.subject, acting.organisation, acting.scopes) == ("teacher-1", "org", (READ, WRITE))
    assert gateway.principal("teacher-1", "another") is None
    bound = Grant(name="key", scopes=frozenset({"write"}), subject="teacher-1")
    assert bound.principal("teacher-1") is not None
    assert bound.principal("teacher-2") is None
