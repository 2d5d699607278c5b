"""Records of formats that are no longer read. Their files are named VERSION-KIND-EXAMPLE."""

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OlderRecord
from schemas.internal.codec import RecordDecoder
from schemas.internal.records import decode_history, decode_inbox, decode_status
from state.codec import decode_batch

OLDER = sorted((Path(__file__).parent / "older").iterdir())
DECODERS: dict[str, RecordDecoder[Any]] = {
    "inbox": decode_inbox,
    "status": decode_status,
    "history": decode_history,
    "batch": decode_batch,
}


@pytest.mark.parametrize("path", OLDER, ids=lambda path: path.name)
def test_a_record_of_an_older_format_stops_its_reader(path: Path) -> None:
    version, kind, _ = path.name.split("-", 2)
    raw = path.read_bytes()
    value = raw if kind == "batch" else raw.partition(b"\n\n")[2]
    with pytest.raises(OlderRecord, match=f"was written by format version {version}; this process reads from 2 on"):
        DECODERS[kind](value)


def test_every_kind_of_record_that_had_an_older_format_has_examples() -> None:
    assert {path.name.split("-")[1] for path in OLDER} == set(DECODERS)
