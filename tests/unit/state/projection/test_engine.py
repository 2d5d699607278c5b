"""How the engine connects: a PostgreSQL server that is gone is noticed, and what the URL says comes first."""

from typing import Any

import pytest
from sqlalchemy import event

from state.projection import open_engine


class NotConnected(Exception):
    """Raised in place of connecting."""


def connect_options(url: str) -> dict[str, Any]:
    """Return what the driver is given to connect to `url` with."""
    engine = open_engine(url)
    given: dict[str, Any] = {}

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        given.update(options)
        raise NotConnected

    with pytest.raises(NotConnected):
        engine.connect()
    return given


def test_a_server_that_is_gone_is_noticed_by_its_connection() -> None:
    options = connect_options("postgresql://user@db/projection")
    assert options["connect_timeout"] <= 10
    assert options["keepalives"] == 1
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] <= 30
    assert options["tcp_user_timeout"] <= 30_000


def test_what_the_url_says_comes_first() -> None:
    options = connect_options("postgresql://user@db/projection?keepalives_idle=99&connect_timeout=2")
    assert (options["keepalives_idle"], options["connect_timeout"]) == ("99", "2")
    assert options["keepalives"] == 1
