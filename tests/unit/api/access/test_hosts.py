"""The names under which the api answers."""

import pytest

from api.access.hosts import host_allowed


@pytest.mark.parametrize(
    "host",
    [
        None,
        "localhost:5000",
        "127.0.0.1",
        "127.0.0.1:5000",
        "[::1]:5000",
        "[fe80::1]",
        "api:5000",
        "10.2.3.4:80",
        "APP.LocalHost",
        "api.internal",
    ],
)
def test_addresses_and_names_that_are_not_public_are_answered(host: str | None) -> None:
    assert host_allowed(host, ())


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "localhost.evil.example.", "", ":80"]
)
def test_public_names_are_not(host: str) -> None:
    assert not host_allowed(host, ())


def test_a_public_name_can_be_allowed() -> None:
    assert host_allowed("batches.school.example:443", ("batches.school.example",))
    assert not host_allowed("other.school.example", ("batches.school.example",))
    assert host_allowed("anything.example", ("*",))
