"""Recorded batches, decided again: every published and stored byte must come out as it was recorded."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from schemas.internal.enums import Disposition
from schemas.internal.records import decode_inbox, decode_status
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from state.codec import decode_batch
from state.replay import RecordedEvent, current_life, replay
from tests.corpus.scenarios import SCENARIOS, Scenario, name_of, recorded
from tests.corpus.stage import TOPICS, MemoryStore, Recorded, history_of, process, processor

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.jsonl"))
_decode = msgspec.json.Decoder(Recorded).decode
_named = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def read(file: Path) -> list[Recorded]:
    return [_decode(line) for line in file.read_bytes().splitlines()]


def newest_status(records: Sequence[Recorded]) -> StatusRecord:
    values = [each.value for record in records for each in record.published if each.topic == TOPICS.name(Topic.STATUS)]
    return decode_status((values[-1] or "").encode())


def test_every_scenario_is_recorded_and_nothing_else() -> None:
    assert {file.stem for file in FILES} == set(map(name_of, SCENARIOS))


@_named
def test_a_recorded_batch_is_decided_again_byte_for_byte(file: Path) -> None:
    store = MemoryStore()
    decide = processor()
    for number, each in enumerate(read(file), 1):
        again = process(
            decide,
            store,
            partition=each.partition,
            offset=each.offset,
            time_ms=each.time_ms,
            key=each.key,
            inbox=each.inbox,
        )
        assert again == each, f"line {number} of {file.name}"


@_named
def test_a_recorded_batch_is_decided_again_after_a_restart_at_any_record(file: Path) -> None:
    """The state goes through its stored bytes between any two records."""
    before = None
    for each in read(file):
        store = MemoryStore(None if before is None else before.encode())
        again = process(
            processor(),
            store,
            partition=each.partition,
            offset=each.offset,
            time_ms=each.time_ms,
            key=each.key,
            inbox=each.inbox,
        )
        assert again == each
        before = each.state


@_named
def test_a_replay_of_a_recorded_batch_gives_its_state(file: Path) -> None:
    records = read(file)
    by_offset = {each.offset: each for each in records}
    events = [
        RecordedEvent(
            None
            if history.disposition is Disposition.QUARANTINED
            else decode_inbox(by_offset[history.offset].inbox.encode()),
            history,
        )
        for history in current_life(map(history_of, records))
    ]
    result = replay(events, newest_status(records))
    assert result.identical, [(each.published.offset, each.differences) for each in result.decisions]
    assert result.whole
    state = records[-1].state
    assert result.batch == (None if state is None else decode_batch(state.encode()))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_a_scenario_still_leads_to_what_was_recorded(scenario: Scenario) -> None:
    """From the client's and the peers' bytes: the router's part is held too."""
    assert recorded(scenario).recorded == read(HERE / f"{name_of(scenario)}.jsonl")
