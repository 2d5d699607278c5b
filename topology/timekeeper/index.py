"""The next deadline of every live batch, on disk, ordered by the time at which it is fired next.

One RocksDB holds the partitions of the status topic that this instance has read. Each change of a partition is one
write batch, together with the offset that the index then reflects: after a crash it goes on there. The keys, with
big-endian numbers so that their order is that of the numbers:

    b PARTITION KEY             -> FIRE_AT DUE OFFSET FIRED     the deadline of one batch
    d PARTITION FIRE_AT KEY     -> DUE OFFSET FIRED             the same, in the order of firing
    p PARTITION                 -> POSITION TIME ARMED          how far the partition has been read
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct as Layout
from typing import Any, NamedTuple

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch

from runtime.logs import get_logger
from schemas.errors import Code, StateError

FORMAT = b"1"
"""Version of the layout above; an index of another version is read again from the topic."""
LATEST_MS = 2**63 - 1
"""The latest time that the index can hold."""
_FORMAT_KEY = b"format"
_BATCH, _DUE, _PARTITION = b"b", b"d", b"p"
_number = Layout(">I")
_time = Layout(">Q")
_by_batch = Layout(">QQQB")
_by_time = Layout(">QQB")
_position = Layout(">QQQ")
_DUE_HEADER = len(_DUE) + _number.size + _time.size
_WRITE_BUFFER_BYTES = 16 * 1_048_576
_CACHE_BYTES = 64 * 1_048_576
_MOST_FIRED = 255

_logger = get_logger("topology.timekeeper.index")


class Arming(NamedTuple):
    """What one status record says about the clock of its batch."""

    key: bytes
    """Key of the status record: the batch_id."""
    due_ms: int | None
    """Next deadline, Unix milliseconds; None where no clock runs, or where the batch is gone."""
    offset: int
    """Offset of the status record."""


class Position(NamedTuple):
    """How far the index reflects one partition of the status topic."""

    offset: int
    """Offset of the next record to read."""
    time_ms: int
    """When the index was written, by the clock of this host."""
    armed: int
    """Deadlines of the partition."""


class ArmedDeadline(NamedTuple):
    """The next deadline of one batch."""

    partition: int
    key: bytes
    fire_at_ms: int
    """When it is fired next: at first its own time, after each firing a later one."""
    due_ms: int
    offset: int
    """Offset of the status record that armed it."""
    fired: int
    """How often it has been fired."""


class DeadlineIndex:
    """The index in the directory `path`; for one thread. Call `close` at the end.

    An index that cannot be opened, or has another format, is removed: it is rebuilt from the status topic.
    """

    def __init__(self, path: Path) -> None:
        self._database = _opened(path)
        self._earliest: dict[int, int] = {}
        """A time before which a partition has nothing to fire; saves the walk over entries that were deleted."""

    def close(self) -> None:
        """Write everything to disk and close it."""
        self._database.close()

    def position(self, partition: int) -> Position | None:
        """Return how far `partition` has been read; None if it has not."""
        found = self._get(_PARTITION + _number.pack(partition))
        return None if found is None else Position(*_position.unpack(found))

    def reset(self, partition: int) -> None:
        """Forget everything about `partition`."""
        batch = WriteBatch(raw_mode=True)
        for kind in (_BATCH, _DUE):
            batch.delete_range(kind + _number.pack(partition), kind + _number.pack(partition + 1))
        batch.delete(_PARTITION + _number.pack(partition))
        self._write(batch)
        self._earliest.pop(partition, None)

    def apply(self, partition: int, armings: Sequence[Arming], offset: int, time_ms: int) -> None:
        """Take in status records in their order; `offset` is that of the next one."""
        newest = {arming.key: arming for arming in armings}
        prefix = _BATCH + _number.pack(partition)
        before: Any = self._get([prefix + key for key in newest]) if newest else []
        position = self.position(partition)
        armed = 0 if position is None else position.armed
        batch = WriteBatch(raw_mode=True)
        for arming, found in zip(newest.values(), before, strict=True):
            known = None if found is None else ArmedDeadline(partition, arming.key, *_by_batch.unpack(found))
            armed += self._replace(batch, partition, arming, known)
        batch.put(_PARTITION + _number.pack(partition), _position.pack(offset, time_ms, armed))
        self._write(batch)

    def due(self, partition: int, until_ms: int, limit: int) -> list[ArmedDeadline]:
        """Return the first `limit` deadlines of `partition` to fire at `until_ms` or before, the earliest first."""
        if self._earliest.get(partition, 0) > until_ms:
            return []
        found: list[ArmedDeadline] = []
        for entry in self._in_order(partition):
            if entry.fire_at_ms > until_ms or len(found) == limit:
                self._earliest[partition] = entry.fire_at_ms if not found else found[0].fire_at_ms
                return found
            found.append(entry)
        self._earliest[partition] = found[0].fire_at_ms if found else LATEST_MS
        return found

    def overdue(self, partition: int, now_ms: int, limit: int) -> int:
        """Return how many deadlines with a time up to `now_ms` wait to be fired, counted up to `limit`."""
        found = 0
        for entry in self._in_order(partition):
            if entry.fire_at_ms > now_ms or found == limit:
                break
            found += 1
        return found

    def postpone(self, entries: Iterable[tuple[ArmedDeadline, int]]) -> None:
        """Note that deadlines have been fired, each with the time at which it is fired again."""
        batch = WriteBatch(raw_mode=True)
        for entry, again_ms in entries:
            batch.delete(_due_key(entry.partition, entry.fire_at_ms, entry.key))
            fired = min(entry.fired + 1, _MOST_FIRED)
            self._put(batch, entry._replace(fire_at_ms=min(again_ms, LATEST_MS), fired=fired))
        self._write(batch)

    def _replace(self, batch: WriteBatch, partition: int, arming: Arming, known: ArmedDeadline | None) -> int:
        """Add what `arming` changes to `batch`, and return by how much the number of armed deadlines changes."""
        if known is not None and known.due_ms == arming.due_ms:
            return 0  # the status has moved on, its next deadline has not: when to fire it stays as it is
        if known is not None:
            batch.delete(_due_key(partition, known.fire_at_ms, known.key))
        if arming.due_ms is None:
            if known is not None:
                batch.delete(_BATCH + _number.pack(partition) + arming.key)
            return -1 if known is not None else 0
        self._put(batch, ArmedDeadline(partition, arming.key, arming.due_ms, arming.due_ms, arming.offset, 0))
        return 0 if known is not None else 1

    def _put(self, batch: WriteBatch, entry: ArmedDeadline) -> None:
        partition, key, fire_at_ms, due_ms, offset, fired = entry
        batch.put(_BATCH + _number.pack(partition) + key, _by_batch.pack(fire_at_ms, due_ms, offset, fired))
        batch.put(_due_key(partition, fire_at_ms, key), _by_time.pack(due_ms, offset, fired))
        if fire_at_ms < self._earliest.get(partition, 0):
            self._earliest[partition] = fire_at_ms

    def _write(self, batch: WriteBatch) -> None:
        with _reported():
            self._database.write(batch)

    def _get(self, keys: Any) -> Any:
        with _reported():
            return self._database.get(keys)

    def _in_order(self, partition: int) -> Iterator[ArmedDeadline]:
        prefix = _DUE + _number.pack(partition)
        with _reported():
            entries = self._database.iter()
            entries.seek(prefix + _time.pack(self._earliest.get(partition, 0)))
        while entries.valid():
            key = entries.key()
            if not key.startswith(prefix):
                return
            (fire_at_ms,) = _time.unpack(key[len(prefix) : _DUE_HEADER])
            yield ArmedDeadline(partition, key[_DUE_HEADER:], fire_at_ms, *_by_time.unpack(entries.value()))
            entries.next()
        with _reported():
            entries.status()  # an iterator that meets damage ends like one at its end


@contextmanager
def _reported() -> Iterator[None]:
    """Turn any error of the database into a `StateError`: the library has no errors of its own for disk and damage."""
    try:
        yield
    except Exception as error:
        raise StateError(
            f"The index of deadlines cannot be read or written: {error}.",
            code=Code.STATE_DIRECTORY,
            next_step="Make space on the disk of BATCH_ORCHESTRATOR_SERVICE_TIMEKEEPER_DIR; if the index is damaged, "
            "remove the directory: it is rebuilt from the status topic.",
        ) from error


def _due_key(partition: int, fire_at_ms: int, key: bytes) -> bytes:
    return _DUE + _number.pack(partition) + _time.pack(fire_at_ms) + key


def _opened(path: Path) -> Rdict:
    try:
        database = Rdict(str(path), _options())
        if database.get(_FORMAT_KEY) in (FORMAT, None):
            database[_FORMAT_KEY] = FORMAT
            return database
        database.close()
        _logger.warning("index_of_another_format", path=str(path))
    except Exception as error:  # noqa: BLE001 - the library has no error of its own for damage
        _logger.warning("index_not_opened", path=str(path), reason=str(error))
    shutil.rmtree(path, ignore_errors=True)
    database = Rdict(str(path), _options())
    database[_FORMAT_KEY] = FORMAT
    return database


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - the library's signature
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_keep_log_file_num(2)
    table = BlockBasedOptions()
    table.set_block_cache(Cache(_CACHE_BYTES))
    options.set_block_based_table_factory(table)
    return options
