"""Which ends of a process count against a record, and which do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime import exit_codes
from schemas.errors import OrchestratorError, StateError
from topology.stream.crash_guard import UNCLEAN_ENDS, CrashGuard, Verdict

COMMITTED, END = 5, 9


class Member:
    """The consumer of a group that has committed offset 5 of nine records on each partition."""

    def __init__(self, committed: int = COMMITTED) -> None:
        self._committed = committed

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:  # noqa: ARG002
        return [TopicPartition(at.topic, at.partition, self._committed) for at in partitions]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> None:
        raise NotImplementedError

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:  # noqa: ARG002
        return 0, END


def started(directory: Path, committed: int = COMMITTED, *, owner: str = "owner") -> CrashGuard:
    """Return the guard of a process that has got its partition."""
    guard = CrashGuard(directory, owner)
    guard.__enter__()
    guard.assigned(Member(committed), [TopicPartition("inbox", 0)])
    return guard


def crashed(directory: Path, times: int, **given: Any) -> None:
    for _ in range(times):
        started(directory, **given)._file.close()


def until_careful(directory: Path) -> CrashGuard:
    crashed(directory, UNCLEAN_ENDS)
    guard = started(directory)
    assert guard.careful
    return guard


def exits(code: int, _error: OrchestratorError) -> NoReturn:
    raise SystemExit(code)


def test_a_first_start_is_not_careful(tmp_path: Path) -> None:
    assert not started(tmp_path).careful


def test_fewer_crashes_than_the_limit_change_nothing(tmp_path: Path) -> None:
    crashed(tmp_path, UNCLEAN_ENDS - 1)
    assert not started(tmp_path).careful


def test_crashes_at_another_offset_begin_anew(tmp_path: Path) -> None:
    crashed(tmp_path, UNCLEAN_ENDS)
    assert not started(tmp_path, COMMITTED + 1).careful


def test_a_partition_without_records_is_never_careful(tmp_path: Path) -> None:
    crashed(tmp_path, UNCLEAN_ENDS + 1, committed=END)
    assert not started(tmp_path, END).careful


def test_another_cluster_or_group_begins_anew(tmp_path: Path) -> None:
    crashed(tmp_path, UNCLEAN_ENDS)
    assert not started(tmp_path, owner="other").careful


def test_ordered_ends_between_crashes_do_not_reset_the_count(tmp_path: Path) -> None:
    crashed(tmp_path, UNCLEAN_ENDS - 1)
    started(tmp_path).__exit__(None, None, None)  # this start counted the crash before it
    crashed(tmp_path, 1)
    assert started(tmp_path).careful


def test_a_record_is_quarantined_after_its_second_crash_and_then_forgotten(tmp_path: Path) -> None:
    guard = until_careful(tmp_path)
    for expected in (Verdict.PROCESS, Verdict.PROCESS, Verdict.QUARANTINE, Verdict.QUARANTINE_UNREAD):
        assert guard.before("inbox", 0, COMMITTED) is expected
        guard._file.close()
        guard = started(tmp_path)
    assert guard.before("inbox", 0, COMMITTED) is Verdict.QUARANTINE_UNREAD
    guard.committing()
    guard.committed()
    assert guard.before("inbox", 0, COMMITTED + 1) is Verdict.PROCESS


def test_it_is_careful_up_to_the_end_that_the_partition_had(tmp_path: Path) -> None:
    guard = until_careful(tmp_path)
    paces: list[bool] = []
    guard.pace = lambda *, one_by_one: paces.append(one_by_one)
    for offset in range(COMMITTED, END):
        assert guard.careful
        guard.before("inbox", 0, offset)
        guard.committing()
        guard.committed()
    assert not guard.careful
    assert paces == [False]


def test_it_is_careful_no_longer_where_only_transaction_markers_are_left(tmp_path: Path) -> None:
    guard = until_careful(tmp_path)
    guard.before("inbox", 0, END - 2)
    guard.committing()
    guard.committed()
    paces: list[bool] = []
    guard.pace = lambda *, one_by_one: paces.append(one_by_one)
    guard.passed("inbox", 0, END - 1)
    assert paces == []
    guard.passed("inbox", 0, END)
    guard.passed("inbox", 0, END)
    assert (paces, guard.careful) == ([False], False)


def ends_by(leave_code: int) -> Callable[[CrashGuard], None]:
    def end(guard: CrashGuard) -> None:
        with pytest.raises(SystemExit):
            guard.noting(exits)(leave_code, StateError("the end", next_step="None."))

    return end


def ends_with(error: Exception) -> Callable[[CrashGuard], None]:
    return lambda guard: guard.__exit__(type(error), error, None)


def is_killed(guard: CrashGuard) -> None:
    guard._file.close()


OUTAGE = KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))


@pytest.mark.parametrize(
    ("end", "deciding", "committing"),
    [
        (is_killed, True, True),
        (ends_by(exit_codes.NO_LIFE), True, False),
        (ends_by(exit_codes.LOST), False, False),
        (ends_with(MemoryError()), True, False),
        (ends_with(RuntimeError("nobody foresaw it")), True, False),
        (ends_with(StateError("known", next_step="None.")), False, False),
        (ends_with(OUTAGE), False, False),
    ],
    ids=["kill", "hang", "lost partitions", "no memory", "defect", "known error", "no broker"],
)
@pytest.mark.parametrize("committed", [False, True], ids=["deciding", "committing"])
def test_which_ends_count_against_a_record(
    end: Callable[[CrashGuard], None],
    deciding: bool,  # noqa: FBT001
    committing: bool,  # noqa: FBT001
    committed: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    guard = until_careful(tmp_path)
    for _ in range(2):
        guard.before("inbox", 0, COMMITTED)
        if committed:
            guard.committing()
        end(guard)
        guard = started(tmp_path)
        while not guard.careful:
            guard._file.close()
            guard = started(tmp_path)
    counts = committing if committed else deciding
    assert (guard.before("inbox", 0, COMMITTED) is not Verdict.PROCESS) is counts


def test_a_directory_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="ORC-STATE-DIRECTORY"):
        CrashGuard(tmp_path / "file" / "below", "owner").__enter__()


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b"[1]"])
def test_damaged_files_mean_a_clean_end(content: bytes, tmp_path: Path) -> None:
    crashed(tmp_path, UNCLEAN_ENDS)
    for path in tmp_path.iterdir():
        path.write_bytes(content)
    assert not started(tmp_path).careful
