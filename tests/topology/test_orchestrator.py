"""The orchestrator's stream, record by record, on a cluster in memory."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import ids
from schemas.errors import NewerRecord, OlderRecord
from schemas.internal.codec import encode
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.enums import BatchStatus, Disposition, ReasonCode
from schemas.internal.events import CancelBatch, DeadlineReached, Event, PauseBatch, Principal
from schemas.internal.history import HistoryRecord
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import decode_history, decode_inbox, decode_status
from schemas.limits import RECORD_OVERHEAD_BYTES
from schemas.topics import Topic
from state.batch import Batch
from state.decision.decide import decide
from state.decision.result import Decision
from tests.topology.driver import Driver
from tests.topology.memory_kafka import START_MS
from tests.topology.records import PIPELINE, concluded, ready, record, register, uuid_of
from topology.orchestrator.quarantine import MAX_DETAIL

pytestmark = pytest.mark.usefixtures("message_path")

BATCH = uuid_of("batch")


@pytest.fixture
def driver(in_memory: Path) -> Driver:
    return Driver(in_memory)


def history(driver: Driver) -> list[HistoryRecord]:
    found = [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]
    return sorted(found, key=lambda one: (one.partition, one.offset))


def dead_letters(driver: Driver) -> list[Any]:
    letters = driver.kafka.read(Topic.DEAD_LETTERS)
    return [parse_dead_letter(one.key, dict(one.headers), one.value) for one in letters]


def test_a_batch_goes_from_registration_to_completion(driver: Driver) -> None:
    driver.put_lives(BATCH)
    driver.run()
    assert [one.disposition for one in history(driver)] == [Disposition.APPLIED] * 4
    statuses = [decode_status(one.value or b"") for one in driver.kafka.read(Topic.STATUS)]
    assert [one.version for one in statuses] == [0, 1, 2, 3]
    assert statuses[-1].status is BatchStatus.COMPLETED_SUCCESSFULLY
    for topic in (Topic.REGISTERED, Topic.SPELLCHECK_COMMAND, Topic.CJ_ASSESSMENT_COMMAND, Topic.COMPLETED):
        assert [one.key for one in driver.kafka.read(topic)] == [BATCH.encode()], topic


def test_effects_come_before_the_status_and_the_status_before_the_history(driver: Driver) -> None:
    driver.put_lives(BATCH)
    steps = [step.removeprefix("produce huleedu.") for step in driver.run() if step.startswith("produce huleedu.")]
    assert steps[:6] == [
        "batch.essays.registered.v1",
        "batch.status.v1",
        "batch.history.v1",
        "els.spellcheck.initiate.command.v1",
        "batch.status.v1",
        "batch.history.v1",
    ]


def test_the_time_of_a_decision_is_the_append_time_of_its_record(driver: Driver) -> None:
    driver.put(record(BATCH, register(BATCH)))
    driver.run()
    [entry] = driver.kafka.logs[driver.kafka.table.name(Topic.INBOX), history(driver)[0].partition]
    assert history(driver)[0].time_ms == entry.time_ms


def test_the_version_counts_from_the_generation(in_memory: Path) -> None:
    driver = Driver(in_memory, generation=3)
    driver.put(record(BATCH, register(BATCH)))
    driver.run()
    assert [one.version for one in history(driver)] == [3 * 2**44]


def test_a_record_that_changes_nothing_has_history_and_no_status(driver: Driver) -> None:
    version = driver.put(record(BATCH, register(BATCH)))
    outcome = record(BATCH, concluded(BATCH, version, "spellcheck"))
    driver.put(outcome)
    driver.run()
    assert [one.disposition for one in history(driver)] == [Disposition.APPLIED, Disposition.STALE]
    assert len(driver.kafka.read(Topic.STATUS)) == 1


def test_state_is_read_back_from_the_changelog(driver: Driver) -> None:
    version = driver.put(record(BATCH, register(BATCH)))
    driver.run()
    driver.lose_state()
    driver.put(record(BATCH, ready(BATCH, version)))
    driver.run()
    assert [one.based_on for one in history(driver)] == [-1, version]


def test_an_event_for_an_unknown_batch_is_a_dead_letter_that_can_be_replayed(driver: Driver) -> None:
    sent = record(BATCH, ready(BATCH, 0), 7)
    driver.put(sent)
    driver.run()
    [letter] = dead_letters(driver)
    assert (letter.value, letter.wrapped, letter.code) == (sent.value, True, "ORC-UNKNOWN-BATCH")
    assert (letter.first.topic, letter.first.partition, letter.first.offset) == ("in.essays_ready", 0, 7)
    [told] = history(driver)
    assert told.disposition is Disposition.UNKNOWN
    assert told.dead_letter_id == ids.dead_letter_id("in.essays_ready", 0, 7) == letter.dead_letter_id
    driver.run()
    assert not driver.kafka.read(Topic.STATUS)


def test_a_purge_deletes_the_state_and_leaves_a_tombstone_and_its_twin_finds_no_batch(driver: Driver) -> None:
    registration = replace(register(BATCH), pipeline=replace(PIPELINE, purge_after_s=1))
    cancel = CancelBatch(
        request_id="request-2", principal=registration.principal, correlation_id=uuid_of("2"), fingerprint="1:cancel"
    )
    driver.put(record(BATCH, registration), record(BATCH, cancel))
    purge = DeadlineReached(due_ms=START_MS + 2_000)
    driver.put(record(BATCH, purge, 1), record(BATCH, purge, 2))
    driver.run()
    driver.lose_state()
    driver.put(record(BATCH, registration, 3))
    driver.run()
    told = [(one.disposition.value, one.reason.code.value, one.based_on, one.version) for one in history(driver)]
    assert told == [
        ("applied", "registered", -1, 0),
        ("applied", "batch_cancelled", 0, 1),
        ("applied", "batch_purged", 1, -1),
        ("stale", "no_batch_left", -1, -1),
        ("applied", "registered", -1, 4),
    ]
    statuses = driver.kafka.read(Topic.STATUS)
    assert [dict(one.headers)["version"] for one in statuses] == [b"0", b"1", b"2", b"4"]
    assert [one.value is None for one in statuses] == [False, False, True, False]
    assert dead_letters(driver) == []


def broken(batch: Batch | None, event: Event) -> Decision:
    if event.body.__struct_config__.tag == "essays_ready":
        raise RuntimeError(f"a rule is wrong about {object()}")
    return decide(batch, event)


def test_a_rule_that_raises_quarantines_the_record_and_the_partition_goes_on(driver: Driver) -> None:
    version = driver.put(record(BATCH, register(BATCH)))
    driver.put(record(BATCH, ready(BATCH, version)), record(BATCH, concluded(BATCH, version, "spellcheck")))
    driver.run(decide=broken)
    assert [one.disposition for one in history(driver)] == [
        Disposition.APPLIED,
        Disposition.QUARANTINED,
        Disposition.STALE,
    ]
    [letter] = dead_letters(driver)
    assert letter.code == "ORC-DECISION-FAILED"
    assert "RuntimeError: a rule is wrong" in letter.traceback
    assert "0x" not in letter.traceback + letter.reason
    assert history(driver)[1].version == version


@pytest.mark.parametrize("value", [b"", b"{", b'{"writer":1}', b"\xff", None])
def test_an_unreadable_record_is_quarantined_under_its_key(driver: Driver, value: bytes | None) -> None:
    driver.put(OutgoingRecord(Topic.INBOX, BATCH.encode(), value))
    driver.put(record(BATCH, register(BATCH)))
    driver.run()
    [first, second] = history(driver)
    assert (first.batch_id, first.kind, first.disposition) == (BATCH, "", Disposition.QUARANTINED)
    assert first.reason.code is ReasonCode.UNREADABLE_RECORD
    assert second.disposition is Disposition.APPLIED
    [letter] = dead_letters(driver)
    assert letter.value == value
    assert letter.first.topic == driver.kafka.table.name(Topic.INBOX)


@pytest.mark.parametrize("key", [b"another", b"", b"\xff\xfe"])
def test_a_record_under_a_foreign_key_is_quarantined(driver: Driver, key: bytes) -> None:
    driver.kafka.append((driver.kafka.table.name(Topic.INBOX), 0), key, record(BATCH, register(BATCH)).value)
    driver.run()
    [told] = driver.kafka.read(Topic.HISTORY)
    assert told.key == key
    assert decode_history(told.value or b"").reason.code is ReasonCode.KEY_MISMATCH
    assert dict(told.headers)["request_id"].decode() == uuid_of(f"request {BATCH}")
    assert [letter.code for letter in dead_letters(driver)] == ["ORC-KEY-MISMATCH"]


def test_a_record_without_a_key_is_quarantined(driver: Driver) -> None:
    driver.kafka.append((driver.kafka.table.name(Topic.INBOX), 0), None, record(BATCH, register(BATCH)).value)
    driver.run()
    assert [letter.code for letter in dead_letters(driver)] == ["ORC-KEY-MISMATCH"]
    assert not driver.kafka.read(Topic.REGISTERED)


@pytest.mark.parametrize(("version", "error"), [(9, NewerRecord), (1, OlderRecord)], ids=["newer", "older"])
def test_a_record_of_another_format_stops_the_process_and_nothing_is_skipped(
    driver: Driver, version: int, error: type[Exception]
) -> None:
    driver.put(record(BATCH, register(BATCH)))
    other = replace(decode_inbox(record(BATCH, ready(BATCH, 0)).value or b""), writer=version, least_reader=version)
    driver.put(OutgoingRecord(Topic.INBOX, BATCH.encode(), encode(other)))
    with pytest.raises(error):
        driver.run()
    with pytest.raises(error):
        driver.run(every=1)
    assert len(history(driver)) == 1


def limited(in_memory: Path, **sizes: int) -> Driver:
    driver = Driver(in_memory)
    for name, size in sizes.items():
        driver.kafka.sizes[driver.kafka.table.name(Topic[name])] = size
    return driver


def test_a_command_too_large_for_its_topic_ends_the_batch_and_is_a_dead_letter(in_memory: Path) -> None:
    driver = limited(in_memory, SPELLCHECK_COMMAND=10_000)
    driver.put_lives(BATCH, essays=200)
    driver.run()
    told = history(driver)
    assert [one.disposition for one in told[:3]] == [Disposition.APPLIED, Disposition.APPLIED, Disposition.STALE]
    assert told[1].reason.code is ReasonCode.OVERSIZED
    [letter] = dead_letters(driver)
    assert (letter.code, letter.dead_letter_id) == ("ORC-OVERSIZED", told[1].dead_letter_id)
    assert not driver.kafka.read(Topic.SPELLCHECK_COMMAND)
    [completed] = driver.kafka.read(Topic.COMPLETED)
    assert b"failed_critically" in (completed.value or b"")


def test_a_registration_whose_result_is_too_large_is_quarantined(in_memory: Path) -> None:
    driver = limited(in_memory, REGISTERED=5_000)
    driver.put(record(BATCH, register(BATCH, essays=200)))
    other = uuid_of("small")
    driver.put(record(other, register(other)))
    driver.run()
    by_batch = {one.batch_id: one for one in history(driver)}
    assert by_batch[BATCH].disposition is Disposition.QUARANTINED
    assert by_batch[BATCH].reason.code is ReasonCode.OVERSIZED
    assert by_batch[other].disposition is Disposition.APPLIED
    assert [letter.code for letter in dead_letters(driver)] == ["ORC-OVERSIZED"]


def test_a_state_too_large_for_the_changelog_ends_the_batch(in_memory: Path) -> None:
    driver = Driver(in_memory)
    version = driver.put(record(BATCH, register(BATCH, essays=200)))
    driver.run()
    driver.kafka.sizes[driver.kafka.table.changelog] = 4_000
    driver.put(record(BATCH, ready(BATCH, version, essays=200)))
    driver.run()
    assert history(driver)[-1].reason.code is ReasonCode.OVERSIZED
    assert history(driver)[-1].reason.what == "the stored record"


def pause(request_id: str) -> PauseBatch:
    return PauseBatch(request_id=request_id, principal=Principal(), correlation_id="c", fingerprint=f"1:{request_id}")


def test_an_event_that_changes_nothing_ends_no_batch_whose_state_has_grown_too_large(in_memory: Path) -> None:
    driver = Driver(in_memory)
    version = driver.put(record(BATCH, register(BATCH, essays=200)))
    driver.put(record(BATCH, pause("first")))
    driver.put(record(BATCH, ready(BATCH, version, essays=200)))
    driver.run()
    driver.kafka.sizes[driver.kafka.table.changelog] = 4_000
    driver.put(record(BATCH, ready(BATCH, version, essays=200)))
    driver.put(record(BATCH, pause("second")))
    driver.run()
    told = history(driver)[-2:]
    assert [one.disposition for one in told] == [Disposition.DUPLICATE, Disposition.QUARANTINED]
    assert [one.reason.code for one in told] == [ReasonCode.READY_AGAIN, ReasonCode.OVERSIZED]
    assert [letter.dead_letter_id for letter in dead_letters(driver)] == [told[1].dead_letter_id]
    assert not driver.kafka.read(Topic.COMPLETED)


def test_a_value_that_no_dead_letter_can_hold_is_named_and_left_on_the_inbox(driver: Driver) -> None:
    size = driver.kafka.sizes[driver.kafka.table.name(Topic.DEAD_LETTERS)]
    driver.put(OutgoingRecord(Topic.INBOX, BATCH.encode(), b"x" * size))
    driver.run()
    [letter] = dead_letters(driver)
    assert letter.value is None
    assert letter.first.topic == driver.kafka.table.name(Topic.INBOX)


LONG = 3_000_000
"""Bytes: an inbox record takes it twice, a history record no more than that."""
LONG_REQUEST = replace(register(BATCH), request_id="x" * (LONG * 3 // 2))
BOUNDLESS = {
    "an unreadable record": (b"\xff" * LONG, b"{"),
    "a foreign key": (b"\xff" * LONG, record(BATCH, register(BATCH)).value),
    "a foreign batch": (b"\x00" * LONG, record("x" * LONG, ready("", 0)).value),
    "a request under a foreign key": (b"another", record(BATCH, LONG_REQUEST).value),
    "a request": (BATCH.encode(), record(BATCH, LONG_REQUEST).value),
}


@pytest.mark.parametrize(("key", "value"), BOUNDLESS.values(), ids=BOUNDLESS)
def test_what_is_told_of_a_record_set_aside_fits_whatever_it_holds(driver: Driver, key: bytes, value: bytes) -> None:
    assert len(key + value) < driver.settings.limits().inbox_bytes
    driver.put(OutgoingRecord(Topic.INBOX, key, value))
    driver.run()
    assert [one.disposition for one in history(driver)] == [Disposition.QUARANTINED]
    for topic in (Topic.HISTORY, Topic.DEAD_LETTERS):
        [told] = driver.kafka.read(topic)
        size = OutgoingRecord(topic, told.key or b"", told.value, told.headers).size
        assert size + RECORD_OVERHEAD_BYTES <= driver.kafka.sizes[driver.kafka.table.name(topic)]


def test_an_error_that_quotes_a_record_is_told_in_short(driver: Driver) -> None:
    kind, foreign = b'"kind":"register"', b'"kind":"' + b"x" * LONG + b'"'
    driver.put(
        OutgoingRecord(
            Topic.INBOX, BATCH.encode(), (record(BATCH, register(BATCH)).value or b"").replace(kind, foreign)
        )
    )
    driver.run()
    [told] = history(driver)
    assert len(told.reason.detail or "") == MAX_DETAIL


def test_a_record_too_large_to_tell_of_leaves_its_batch_as_it_is(driver: Driver) -> None:
    version = driver.put(record(BATCH, register(BATCH)))
    driver.put(record(BATCH, LONG_REQUEST, 1), record(BATCH, ready(BATCH, version)))
    driver.run()
    told = [(one.batch_id, one.based_on, one.version) for one in history(driver)]
    assert told == [(BATCH, -1, version), (BATCH, version, version), (BATCH, version, version + 2)]


def test_a_batch_of_5000_essays_fits_every_topic(driver: Driver) -> None:
    driver.put_lives(BATCH, essays=5_000)
    driver.run()
    assert [one.disposition for one in history(driver)] == [Disposition.APPLIED] * 4
    assert [one.key for one in driver.kafka.read(Topic.COMPLETED)] == [BATCH.encode()]


def test_a_stored_record_that_cannot_be_read_sets_aside_the_events_of_its_batch_alone(driver: Driver) -> None:
    other = uuid_of("other")
    version = driver.put(record(BATCH, register(BATCH)))
    driver.run()
    changelog = driver.kafka.table.changelog
    for (topic, _), log in driver.kafka.logs.items():
        for entry in log:
            if topic == changelog and entry.state == "committed":
                entry.value = b"{"
    driver.lose_state()
    driver.put(record(BATCH, ready(BATCH, version)), record(other, register(other)))
    driver.run()
    by_kind = {(one.batch_id, one.kind): one.disposition for one in history(driver)}
    assert by_kind[BATCH, "essays_ready"] is Disposition.QUARANTINED
    assert by_kind[other, "register"] is Disposition.APPLIED
    assert [letter.code for letter in dead_letters(driver)] == ["ORC-DECISION-FAILED"]
    driver.run(every=1)
    assert len(dead_letters(driver)) == 1


@pytest.mark.defect(16)
def test_every_inbox_record_has_exactly_one_history_record(driver: Driver) -> None:
    driver.put_lives(BATCH, uuid_of("second"))
    driver.put(OutgoingRecord(Topic.INBOX, b"nobody", b"nothing"))
    driver.run(every=1)
    told = [(one.partition, one.offset) for one in history(driver)]
    inbox = driver.kafka.table.name(Topic.INBOX)
    assert told == [(number, offset) for number in range(2) for offset in range(len(driver.kafka.logs[inbox, number]))]
