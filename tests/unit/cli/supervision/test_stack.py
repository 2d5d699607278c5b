"""The stack's files may lie anywhere."""

from pathlib import Path

import pytest

from cli.supervision.stack import sqlite_url
from state.projection import open_engine
from state.projection.engine import database_file


@pytest.mark.parametrize(
    "name", ["plain", "a b", "50%", "%41", "a#b", "what?x=y", "'\"", "å👩", "a@b:c", "a+b", "a;b&c"]
)
def test_a_projection_lies_in_the_very_directory(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    engine = open_engine(sqlite_url(directory / "projection.db"))
    with engine.connect():
        pass
    engine.dispose()
    assert database_file(engine) == directory / "projection.db"
    assert [found.name.partition("-")[0] for found in directory.iterdir()] == ["projection.db"]
