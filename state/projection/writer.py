"""The writer: records of the log into the database, each batch of them in one transaction with its offsets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DataError, IntegrityError

from schemas.errors import Code, ProjectionError, UnreadableRecord
from schemas.topics import RETENTION_MS, Topic
from state.projection import tables
from state.projection.apply_dead_letters import Letter, apply_letters, read_letter
from state.projection.apply_history import DecodedHistory, apply_accounts, read_account
from state.projection.apply_status import DecodedStatus, apply_snapshots, read_snapshot
from state.projection.engine import database_file, file_number, for_writing
from state.projection.models import Applied, Identity, ProjectedRecord, Unreadable
from state.projection.prune import prune_some
from state.projection.schema import is_current, migrate
from state.projection.sql import Row, insert_new, lock, raise_to, text
from state.projection.tallies import Tallies
from state.projection.trouble import follow_trouble

_MAX_REASON = 1_000
_NEWEST = select(func.max(tables.offsets.c.time_ms))


class _Read(NamedTuple):
    """Records as they are applied: told apart by topic, in their order."""

    snapshots: list[DecodedStatus]
    accounts: list[DecodedHistory]
    letters: list[Letter]
    unreadable: list[Unreadable]


class Writer:
    """Applies records to the projection. Repeats, and records overtaken by newer ones, change nothing.

    Any number of writers can share a database as long as each partition has one: their transactions run one after
    another. A paused one that comes back late does no harm. Methods raise `sqlalchemy.exc.SQLAlchemyError` where the
    database cannot be reached or is locked: then nothing of the call has happened, and it can be repeated.
    """

    def __init__(self, engine: Engine, *, retention_ms: int = RETENTION_MS) -> None:
        self._retention_ms = retention_ms
        self._engine = for_writing(engine)
        self._file = database_file(engine)
        self._file_number: int | None = None
        self._identity: Identity | None = None
        self._bound: dict[str, str] = {}
        self._reached: dict[tuple[Topic, int], int] = {}
        """Next offset of each partition after what was written here."""

    def prepare(self, identity: Identity) -> None:
        """Bring the schema up to date, in a file's directory where that has to be made, and bind it to `identity`.

        Raises `ProjectionError` where it holds the events of another cluster or inbox, or a newer version's schema.
        """
        _make_directory(self._file)
        migrate(self._engine)
        self._file_number = file_number(self._file)
        with self._engine.begin() as connection:
            row: Row = {"id": 1, "cluster_id": identity.cluster_id, "inbox_topic_id": identity.inbox_topic_id}
            insert_new(connection, tables.identity, [row])
            columns = tables.identity.c
            bound = Identity(*connection.execute(select(columns.cluster_id, columns.inbox_topic_id)).one())
        self._identity = bound
        if bound != identity:
            raise ProjectionError(
                f"The projection database belongs to inbox {bound.inbox_topic_id} on cluster {bound.cluster_id}; this "
                f"is inbox {identity.inbox_topic_id} on cluster {identity.cluster_id}.",
                next_step="Point PROJECTION_URL at a new database, or delete this one: it is rebuilt from Kafka.",
                code=Code.PROJECTION_IDENTITY,
            )

    def bind_topics(self, ids: Mapping[Topic, str]) -> None:
        """Bind the offsets to the topics with these ids.

        Raises `ProjectionError` where a topic has another id than the one that the projection was filled from.
        """
        columns = tables.source_topics.c
        with self._engine.begin() as connection:
            rows: list[Row] = [{"topic": topic.value, "topic_id": given} for topic, given in sorted(ids.items())]
            insert_new(connection, tables.source_topics, rows)
            bound = {row.topic: row.topic_id for row in connection.execute(select(columns.topic, columns.topic_id))}
        self._bound = bound
        replaced = [topic for topic, given in ids.items() if bound[topic.value] != given]
        if replaced:
            raise ProjectionError(
                "The projection was filled from topics that were deleted and created again since: "
                f"{', '.join(replaced)}.",
                next_step="Point PROJECTION_URL at a new database, or delete this one: it is rebuilt from what the "
                "topics hold now.",
                code=Code.PROJECTION_IDENTITY,
            )

    def offsets(self) -> dict[tuple[Topic, int], int]:
        """Return the next offset that each partition's records are to come from; none for one that has no records."""
        columns = tables.offsets.c
        with self._engine.begin() as connection:
            rows = connection.execute(select(columns.topic, columns.partition, columns.next_offset))
            return {(Topic(topic), partition): offset for topic, partition, offset in rows}

    def apply(self, records: Sequence[ProjectedRecord]) -> Applied:
        """Apply records, each partition's in the order of its log, in one transaction with the offsets after them.

        A record that fits no model is noted and passed over. A file that another one has replaced is left for that one,
        where it has all that was written here. Raises `RecordFormatError` for a record of a version that is not read,
        and `ProjectionError` where the file of the database has gone.
        """
        number = file_number(self._file)
        if number != self._file_number:
            self._go_on_with(number)
        read = _read(records)
        try:
            return self._apply(records, read)
        except (DataError, IntegrityError, OverflowError) as error:
            # A value that no column takes. It must stop neither its neighbours nor its partition.
            if len(records) == 1:
                return self._apply(records, _Read([], [], [], [_unreadable(records[0], str(error))]))
        middle = len(records) // 2
        return _sum(self.apply(records[:middle]), self.apply(records[middle:]))

    def prune(self, now_ms: int) -> bool:
        """Remove some of what the topics no longer hold, in one short transaction; return whether there may be more."""
        with self._engine.begin() as connection:
            lock(connection)
            return prune_some(connection, now_ms, self._retention_ms)

    def _go_on_with(self, number: int | None) -> None:
        """Go on with the file of this number. Raises `ProjectionError` where it lacks something, or there is none."""
        self._engine.dispose()  # SQLite would write on into a file that has no name any more
        if number is None or not self._is_continued():
            raise ProjectionError(
                f"The projection database {self._file} was removed or replaced while it was in use.",
                next_step="None: the projector starts again and rebuilds it from Kafka.",
                code=Code.PROJECTION_REPLACED,
            )
        self._file_number = number

    def _is_continued(self) -> bool:
        """Tell whether the database is another one of the same records, and has all that was written here."""
        with self._engine.begin() as connection:
            if not is_current(connection):
                return False
            identity, topics = tables.identity.c, tables.source_topics.c
            held = connection.execute(select(identity.cluster_id, identity.inbox_topic_id)).one_or_none()
            bound = {row.topic: row.topic_id for row in connection.execute(select(topics.topic, topics.topic_id))}
        offsets = self.offsets()
        return (
            held is not None
            and Identity(*held) == self._identity
            and all(bound.get(topic) == given for topic, given in self._bound.items())
            and all(offsets.get(place, 0) >= end for place, end in self._reached.items())
        )

    def _apply(self, records: Sequence[ProjectedRecord], read: _Read) -> Applied:
        with self._engine.begin() as connection:
            lock(connection)
            tallies = Tallies(_advance(connection, records))
            breaks = apply_accounts(connection, read.accounts, tallies)
            about = apply_letters(connection, read.letters) | {text(found.batch_id) for found in breaks}
            changed = apply_snapshots(connection, read.snapshots, tallies)
            follow_trouble(connection, about - changed, tallies)
            tallies.write(connection)
            insert_new(connection, tables.unreadable, [_unreadable_row(found) for found in read.unreadable])
        for log in records:
            place = (log.topic, log.partition)
            self._reached[place] = max(log.offset + 1, self._reached.get(place, 0))
        return Applied(
            records=len(records), batches=len(changed), chain_breaks=breaks, unreadable=tuple(read.unreadable)
        )


def _read(records: Sequence[ProjectedRecord]) -> _Read:
    read = _Read([], [], [], [])
    for log in records:
        try:
            _read_one(read, log)
        except UnreadableRecord as error:
            read.unreadable.append(_unreadable(log, error.message))
    return read


def _read_one(read: _Read, log: ProjectedRecord) -> None:
    match log.topic:
        case Topic.STATUS:
            read.snapshots.append(read_snapshot(log))
        case Topic.HISTORY:
            read.accounts.append(read_account(log))
        case Topic.DEAD_LETTERS:
            read.letters.append(read_letter(log))
        case _:
            raise ValueError(f"{log.topic} is not projected")


def _advance(connection: Connection, records: Sequence[ProjectedRecord]) -> int:
    """Note what the transaction reflects; return the newest append time of all that is reflected."""
    ends: dict[tuple[str, int], tuple[int, int]] = {}
    for log in records:
        place = (log.topic.value, log.partition)
        offset, time_ms = ends.get(place, (0, 0))
        ends[place] = max(log.offset + 1, offset), max(log.time_ms, time_ms)
    rows: list[Row] = [
        {"topic": topic, "partition": partition, "next_offset": end, "time_ms": time_ms}
        for (topic, partition), (end, time_ms) in sorted(ends.items())
    ]
    raise_to(connection, tables.offsets, rows, columns=("next_offset", "time_ms"))
    return connection.execute(_NEWEST).scalar_one() or 0


def _unreadable(log: ProjectedRecord, reason: str) -> Unreadable:
    return Unreadable(
        topic=log.topic, partition=log.partition, offset=log.offset, time_ms=log.time_ms, reason=reason[:_MAX_REASON]
    )


def _unreadable_row(found: Unreadable) -> Row:
    return {
        "topic": found.topic.value,
        "partition": found.partition,
        "offset": found.offset,
        "time_ms": found.time_ms,
        "reason": text(found.reason),
    }


def _make_directory(file: Path | None) -> None:
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectionError(
            f"The directory of the projection database {file} cannot be made: {error.strerror}.",
            next_step="Point PROJECTION_URL into a directory that this user may write.",
        ) from error


def _sum(first: Applied, second: Applied) -> Applied:
    return Applied(
        records=first.records + second.records,
        batches=first.batches + second.batches,
        chain_breaks=first.chain_breaks + second.chain_breaks,
        unreadable=first.unreadable + second.unreadable,
    )
