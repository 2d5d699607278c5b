"""Replays a batch that was saved as a test: `python -m tests.corpus.saved FILE…`.

The file comes from `GET /v1/batches/{batch_id}/fixture` or the dashboard. It holds the batch's inbox records and the
decisions on them; each is decided again and must come out as it was published. A file in tests/corpus/saved_batches is
replayed by `make unit`.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from api.explain.fixture import FIXTURE, FixtureHead, FixtureRecord
from schemas.internal.records import decode_history, decode_inbox
from state.replay import RecordedEvent, Replay, replay

_head = msgspec.json.Decoder(FixtureHead).decode
_record = msgspec.json.Decoder(FixtureRecord).decode


class Fixture(NamedTuple):
    """A saved batch."""

    head: FixtureHead
    records: tuple[FixtureRecord, ...]

    def events(self) -> tuple[RecordedEvent, ...]:
        """Return its recorded events."""
        return tuple(
            RecordedEvent(
                None if each.inbox is None else decode_inbox(each.inbox.encode()), decode_history(each.history.encode())
            )
            for each in self.records
        )


def parse(content: bytes) -> Fixture:
    """Return the batch in the bytes of a file. Raises `ValueError` for another file, or for a part of one."""
    first, *lines = content.splitlines()
    head = _head(first)
    if head.fixture != FIXTURE or head.records != len(lines):
        raise ValueError(f"this is no whole fixture: it has {len(lines)} records of {head.records}")
    return Fixture(head, tuple(map(_record, lines)))


def verdict(result: Replay) -> list[str]:
    """Return what differs, one line each; empty where every decision is as it was published."""
    told = []
    for each in result.decisions:
        place = f"offset {each.published.offset} ({each.published.kind})"
        told += [
            f"{place}: {found.fact}: published {found.published}, decided {found.replayed}"
            for found in each.differences
        ]
        if each.chain_expected is not None:
            told.append(f"{place}: based on {each.published.based_on}, not on {each.chain_expected}")
    return told


def main(files: list[str]) -> int:
    """Replay these files; return 1 if a decision of one is another than was published."""
    status = 0
    for name in files:
        found = parse(Path(name).read_bytes())
        differing = verdict(replay(found.events()))
        status = max(status, int(bool(differing)))
        said = differing or [f"replayed {found.head.records} records, every decision as published"]
        sys.stdout.write("".join(f"{name}: {line}\n" for line in said))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
