"""What the writer makes of a log."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, select

from schemas.errors import NewerRecord, OlderRecord, ProjectionError
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus, ReasonCode
from schemas.internal.formats import STATUS
from schemas.internal.history import NO_VERSION, Reason
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import history_outgoing, status_outgoing, status_tombstone
from schemas.topics import RETENTION_MS, Topic
from state.projection import BatchFilter, ChainBreak, Identity, ProjectedRecord, Reader, Writer, tables
from tests.unit.state.projection.log import T0, Log, batch_id, history, letter, status


@dataclass
class Tables:
    """Shorthand for asking how many rows a table has."""

    engine: Engine

    def size(self, name: str) -> int:
        with self.engine.connect() as connection:
            return len(connection.execute(select(tables.metadata.tables[name])).all())


def with_a_field_that_is_no_text(outgoing: OutgoingRecord) -> bytes:
    """A record's value with a field that no model knows, so that no decoder looks into it."""
    assert outgoing.value is not None
    return outgoing.value[:-1] + b',"unknown":"\xe5\xff"}'


@pytest.fixture
def stored(engine: Engine) -> Tables:
    return Tables(engine)


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_snapshot_is_read_back_as_it_was_written(log: Log, writer: Writer, reader: Reader) -> None:
    snapshot = status(1, 5)
    writer.apply([log.write(snapshot)])
    assert reader.get(batch_id(1)) == snapshot


def test_offsets_are_those_after_the_last_record_of_each_partition(log: Log, writer: Writer, reader: Reader) -> None:
    records = log.step(1, 5) + log.step(2, 6) + log.write_all(letter(0))
    writer.apply(records)
    ends: dict[tuple[Topic, int], int] = {}
    for record in records:
        ends[record.topic, record.partition] = record.offset + 1
    assert reader.offsets() == writer.offsets() == ends


def test_an_older_version_never_wins(log: Log, writer: Writer, reader: Reader) -> None:
    older, newer = log.write_all(status(1, 5), status(1, 9, BatchStatus.CANCELLED))
    writer.apply([newer])
    assert writer.apply([older]).batches == 0
    snapshot = reader.get(batch_id(1))
    assert snapshot is not None
    assert snapshot.version == 9
    assert reader.counts().batches == {"cancelled": 1}


def test_a_tombstone_removes_the_batch_and_its_phases_from_lists_and_counts(
    log: Log, writer: Writer, reader: Reader, stored: Tables
) -> None:
    writer.apply(log.step(1, 5) + log.step(2, 6))
    writer.apply(log.purge(1, 20, based_on=5))
    assert reader.get(batch_id(1)) is None
    assert [batch.batch_id for batch in reader.list().batches] == [batch_id(2)]
    assert stored.size("phases") == 2
    assert reader.counts().batches == {"processing_pipelines": 1}
    assert reader.counts().phases["spellcheck"] == {"dispatch_initiated": 1}


def test_a_replay_of_older_snapshots_does_not_bring_a_purged_batch_back(
    log: Log, writer: Writer, reader: Reader
) -> None:
    before = log.step(1, 5)
    writer.apply(before + log.purge(1, 20, based_on=5))
    writer.apply(before)
    assert reader.get(batch_id(1)) is None
    assert reader.counts().batches == {}


def test_a_batch_registered_again_after_its_purge_lives(log: Log, writer: Writer, reader: Reader) -> None:
    records = log.step(1, 5) + log.purge(1, 20, based_on=5) + log.step(1, 30)
    writer.apply(records)
    writer.apply(records[:2])
    snapshot = reader.get(batch_id(1))
    assert snapshot is not None
    assert snapshot.version == 30
    assert reader.chain_breaks() == ()


def test_a_late_tombstone_of_an_earlier_life_does_not_remove_the_next(log: Log, writer: Writer, reader: Reader) -> None:
    late = log.write(status_tombstone(batch_id(1), 20))
    writer.apply([log.write(status(1, 30))])
    writer.apply([late])
    assert reader.get(batch_id(1)) is not None


def test_a_next_life_with_other_phases_leaves_none_of_the_earlier_ones(
    log: Log, writer: Writer, reader: Reader
) -> None:
    spellcheck = {"spellcheck": status(1, 1).phases["spellcheck"]}
    writer.apply([log.write(status(1, 5))])
    writer.apply([log.write(status(1, 30, phases=spellcheck))])
    assert list(reader.list().batches[0].phases) == ["spellcheck"]
    assert reader.counts().phases == {"spellcheck": {"dispatch_initiated": 1}}


def test_counts_follow_every_change_of_status(log: Log, writer: Writer, reader: Reader) -> None:
    done = {"spellcheck": status(1, 1).phases["spellcheck"]}
    done["spellcheck"] = type(done["spellcheck"])(status=PhaseStatus.COMPLETED_SUCCESSFULLY, attempt=1)
    writer.apply(log.write_all(status(1, 5), status(2, 6)))
    writer.apply(log.write_all(status(1, 7, BatchStatus.COMPLETED_SUCCESSFULLY, phases=done), status(3, 8)))
    assert reader.counts().batches == {"completed_successfully": 1, "processing_pipelines": 2}
    assert reader.counts().phases == {
        "spellcheck": {"completed_successfully": 1, "dispatch_initiated": 2},
        "cj_assessment": {"pending_dependencies": 2},
    }


def test_a_chain_of_versions_that_is_whole_has_no_breaks(log: Log, writer: Writer, reader: Reader) -> None:
    chain = [history(1, 5, 5, NO_VERSION), history(1, 7, 5, 5), history(1, 9, 9, 5), history(1, 11, NO_VERSION, 9)]
    writer.apply(log.write_all(*chain, history(1, 12, 12, NO_VERSION)))
    assert reader.chain_breaks() == ()


def test_a_version_that_is_not_based_on_the_one_before_is_a_break(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply(log.write_all(history(1, 5, 5, NO_VERSION), history(1, 9, 9, 5)))
    lost = history(1, 12, 12, 5)
    expected = ChainBreak(
        partition=0, offset=12, time_ms=T0 + 12, batch_id=batch_id(1), version=12, based_on=5, expected=9
    )
    assert writer.apply(log.write_all(lost)).chain_breaks == (expected,)
    assert reader.chain_breaks() == (expected,)


def test_a_batch_that_is_suddenly_unknown_is_a_break(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply(log.write_all(history(1, 5, 5, NO_VERSION), history(1, 9, NO_VERSION, NO_VERSION)))
    assert [(found.offset, found.expected) for found in reader.chain_breaks()] == [(9, 5)]


@pytest.mark.parametrize("code", [ReasonCode.UNREADABLE_RECORD, ReasonCode.KEY_MISMATCH, ReasonCode.PROCESS_CRASHED])
def test_a_record_set_aside_under_a_batchs_key_is_no_link_of_its_chain(
    code: ReasonCode, log: Log, writer: Writer, reader: Reader
) -> None:
    aside = {"disposition": Disposition.QUARANTINED, "reason": Reason(code=code)}
    foreign = history(1, 7, NO_VERSION, NO_VERSION, **aside)
    writer.apply(log.write_all(history(1, 5, 5, NO_VERSION), foreign, history(1, 9, 9, 5)))
    assert reader.chain_breaks() == ()


def test_a_break_is_told_once(log: Log, writer: Writer) -> None:
    records = log.write_all(history(1, 5, 5, NO_VERSION), history(1, 9, 9, 7), history(1, 11, 11, 9))
    assert len(writer.apply(records).chain_breaks) == 1
    assert writer.apply(records).chain_breaks == ()


def test_a_history_that_starts_in_the_middle_is_no_break(log: Log, writer: Writer) -> None:
    assert writer.apply(log.write_all(history(1, 50, 50, 40), history(1, 60, 60, 50))).chain_breaks == ()


def test_a_chain_goes_on_in_the_next_generation_of_the_inbox(log: Log, writer: Writer) -> None:
    first = 2**44
    chain = [history(1, 500, 500, NO_VERSION), history(1, 3, first + 3, 500), history(1, 4, first + 3, first + 3)]
    assert writer.apply(log.write_all(*chain)).chain_breaks == ()
    assert writer.apply(log.write_all(history(1, 5, NO_VERSION, first + 3))).chain_breaks == ()


def test_the_newest_record_of_a_dead_letter_stays(log: Log, writer: Writer, reader: Reader) -> None:
    first, again = log.write_all(letter(4, code="ORC-UNREADABLE"), letter(4, code="ORC-OTHER"))
    writer.apply([again])
    writer.apply([first])
    found = reader.dead_letters().letters
    assert [stored.letter.code for stored in found] == ["ORC-OTHER"]


@pytest.mark.parametrize(
    "foreign",
    [
        OutgoingRecord(Topic.STATUS, b"key", b"not JSON"),
        OutgoingRecord(Topic.STATUS, b"key", None),
        OutgoingRecord(Topic.STATUS, b"key", status_outgoing(status(1, 1)).value),
        OutgoingRecord(Topic.HISTORY, b"key", b"{}"),
        OutgoingRecord(Topic.HISTORY, b"key", None),
        OutgoingRecord(Topic.STATUS, batch_id(1).encode(), with_a_field_that_is_no_text(status_outgoing(status(1, 1)))),
        OutgoingRecord(
            Topic.HISTORY, b"key", with_a_field_that_is_no_text(history_outgoing(history(1, 1, 1, NO_VERSION)))
        ),
        OutgoingRecord(Topic.DEAD_LETTERS, b"key", b"without headers"),
        OutgoingRecord(Topic.DEAD_LETTERS, b"", b"", letter(0).headers),
    ],
)
def test_a_record_that_fits_no_model_is_noted_and_its_partition_goes_on(
    foreign: OutgoingRecord, log: Log, writer: Writer, reader: Reader, stored: Tables
) -> None:
    record = log.write(foreign)
    applied = writer.apply([record, log.write(status(2, 2))])
    assert [(found.topic, found.offset) for found in applied.unreadable] == [(record.topic, record.offset)]
    assert stored.size("unreadable") == 1
    assert reader.get(batch_id(2)) is not None
    assert reader.offsets()[record.topic, record.partition] > record.offset


def test_a_value_that_no_column_takes_is_noted_and_its_neighbours_are_applied(
    log: Log, writer: Writer, reader: Reader, stored: Tables
) -> None:
    records = log.write_all(status(1, 5), status(2, 2**63), status(3, 7), history(3, 7, 7, NO_VERSION))
    applied = writer.apply(records)
    assert (applied.records, applied.batches) == (4, 2)
    assert [found.offset for found in applied.unreadable] == [records[1].offset]
    assert {batch.batch_id for batch in reader.list().batches} == {batch_id(1), batch_id(3)}


def test_a_nul_in_a_text_hides_no_batch(log: Log, writer: Writer, reader: Reader) -> None:
    snapshot = status(1, 5, user_id="a\x00b", owner_subject="\x00")
    writer.apply([log.write(snapshot)])
    assert reader.get(batch_id(1)) == snapshot
    assert reader.list(BatchFilter(user="a\x00b")).batches == (snapshot,)


@pytest.mark.parametrize(
    ("version", "error"), [(STATUS.version + 1, NewerRecord), (STATUS.oldest - 1, OlderRecord)], ids=["newer", "older"]
)
def test_a_record_of_another_format_stops_the_writer_and_nothing_is_applied(
    log: Log, writer: Writer, reader: Reader, version: int, error: type[Exception]
) -> None:
    other = log.write(status(1, 5, writer=version, least_reader=version))
    with pytest.raises(error):
        writer.apply([log.write(status(2, 6)), other])
    assert reader.offsets() == {}
    assert reader.list().batches == ()


def test_another_clusters_projection_is_refused(writer: Writer, reader: Reader) -> None:
    with pytest.raises(ProjectionError, match="ORC-PROJECTION-IDENTITY"):
        writer.prepare(Identity("cluster", "another inbox"))
    writer.prepare(Identity("cluster", "inbox"))
    assert reader.identity() == Identity("cluster", "inbox")


def test_what_the_topics_no_longer_hold_is_pruned(log: Log, writer: Writer, reader: Reader, stored: Tables) -> None:
    writer.apply(log.step(1, 5) + log.step(2, 6) + log.purge(2, 20, based_on=6) + log.write_all(letter(0)))
    writer.prune(T0 + RETENTION_MS + 1_000)
    assert reader.get(batch_id(1)) is not None
    for table, rows in {"history": 0, "dead_letters": 0, "chain_heads": 0, "purges": 1, "batches": 1}.items():
        assert stored.size(table) == rows, table
    writer.prune(T0 + 2 * RETENTION_MS + 1_000)
    assert stored.size("purges") == 0


def test_a_break_goes_with_its_history_and_so_does_the_need_for_a_person(
    log: Log, writer: Writer, reader: Reader
) -> None:
    writer.apply(log.step(1, 5) + log.write_all(history(1, 9, 9, 7)))
    assert [batch.batch_id for batch in reader.list(BatchFilter(attention=True)).batches] == [batch_id(1)]
    writer.prune(T0 + RETENTION_MS + 1_000)
    assert reader.chain_breaks() == ()
    assert reader.list(BatchFilter(attention=True)).batches == ()
    assert reader.counts().attention == 0


def test_many_old_rows_go_in_transactions_of_their_own(
    writer: Writer, stored: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("state.projection.prune.PRUNED_ROWS", 10)
    log = Log()
    writer.apply([log.write(history(1, offset, offset, offset - 1)) for offset in range(1, 26)])
    writer.apply(log.write_all(*(letter(offset) for offset in range(7)), history(2, 5_000, 5_000, 4_999)))
    left, more = [], []
    for _ in range(5):
        more.append(writer.prune(T0 + RETENTION_MS + 1_000))
        left.append(tuple(stored.size(table) for table in ("history", "dead_letters", "chain_heads")))
    # The newest history record, and its batch's head, are not old. A run of ids goes whole, however long it is.
    assert left == [(16, 7, 2), (6, 7, 2), (1, 2, 2), (1, 0, 1), (1, 0, 1)]
    assert more == [True, True, True, True, False]


def test_a_topic_that_is_not_projected_is_a_defect(writer: Writer) -> None:
    with pytest.raises(ValueError, match="not projected"):
        writer.apply([ProjectedRecord(Topic.INBOX, 0, 0, 0, b"", b"")])


def test_offsets_never_go_back(log: Log, writer: Writer, reader: Reader) -> None:
    older, newer = log.write_all(status(1, 5), status(1, 9))
    writer.apply([older, newer])
    writer.apply([older])
    assert reader.offsets()[newer.topic, newer.partition] == newer.offset + 1


def test_two_writers_of_a_database_lose_no_count(engine: Engine, writer: Writer, reader: Reader) -> None:
    logs = [Log(), Log()]
    shares = [
        [logs[share].write(status(number, number)) for number in range(200) if sum(str(number).encode()) % 2 == share]
        for share in (0, 1)
    ]
    # Each writer has partitions of its own, as the members of a group do.
    shares = [[record._replace(partition=share) for record in records] for share, records in enumerate(shares)]

    def work(records: list[ProjectedRecord]) -> None:
        other = Writer(engine)
        other.prepare(Identity("cluster", "inbox"))
        for start in range(0, len(records), 10):
            other.apply(records[start : start + 10])

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, records) for records in shares]:
            done.result()
    assert reader.counts().batches == {"processing_pipelines": 200}
    assert reader.counts().phases["spellcheck"] == {"dispatch_initiated": 200}


def test_a_paused_writer_that_comes_back_late_does_no_harm(engine: Engine, log: Log, writer: Writer) -> None:
    late = Writer(engine)
    late.prepare(Identity("cluster", "inbox"))
    before, after = log.write_all(status(1, 5), status(1, 9, BatchStatus.CANCELLED))
    writer.apply([before, after])
    late.apply([before])
    reader = Reader(engine)
    assert reader.counts().batches == {"cancelled": 1}
    assert reader.offsets()[after.topic, after.partition] == after.offset + 1


def test_offsets_belong_to_the_topics_that_they_were_read_from(writer: Writer) -> None:
    writer.bind_topics({Topic.STATUS: "a", Topic.HISTORY: "b"})
    writer.bind_topics({Topic.STATUS: "a", Topic.HISTORY: "b", Topic.DEAD_LETTERS: "c"})
    with pytest.raises(
        ProjectionError, match=r"ORC-PROJECTION-IDENTITY: .*created again since: huleedu.batch.history.v1"
    ):
        writer.bind_topics({Topic.STATUS: "a", Topic.HISTORY: "other", Topic.DEAD_LETTERS: "c"})
