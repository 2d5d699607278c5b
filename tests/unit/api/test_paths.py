"""Every id that is taken comes through an address unchanged."""

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.paths import decode_segment, routing_path, status_path

ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1)


@given(ids)
def test_a_path_gives_the_id_back(batch_id: str) -> None:
    parts = urlsplit(status_path(batch_id))
    if parts.query:
        assert parse_qs(parts.query) == {"batch_id": [batch_id]}
        return
    segments = routing_path(parts.path.encode()).split("/")
    assert (segments[:3], segments[4:]) == (["", "v1", "batches"], ["status"])
    assert decode_segment(segments[3]) == batch_id


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/healthz/", "/healthz"),
        (b"/", "/"),
        (b"/%68ealthz", "/healthz"),
        (b"/a%2Fb", "/a%2Fb"),
        (b"/a%2fb/", "/a%2fb"),
        ("/å".encode(), "/%C3%A5"),
        (b"/%", "/%"),
    ],
)
def test_the_path_to_route_by_stays_encoded(raw: bytes, path: str) -> None:
    assert routing_path(raw) == path
