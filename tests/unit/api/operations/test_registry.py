"""Which record of the log is the next state of an operation."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from api.kafka_log.kafka_log import LogPartition, LogRecord
from api.operations.registry import OperationRegistry
from schemas.internal.operations import OperationRecord, OperationState
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import operation_outgoing, operation_stop_outgoing, operation_tombstones
from schemas.topics import Topic
from tests.golden.operations import operations

BEGUN = replace(operations()["operation-running"], epoch=1, runner="first")
ID = BEGUN.operation_id


@dataclass
class Fixture:
    """A registry with a clock that the test sets."""

    now: float = 0.0
    passed_over: list[OperationRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = OperationRegistry(lambda: self.now, self.passed_over.append)

    def read(self, *records: OperationRecord) -> OperationRecord | None:
        """Read records of operations, and return the state that stands."""
        for record in records:
            self.take(operation_outgoing(record))
        return self.registry.get(ID)

    def take(self, outgoing: OutgoingRecord) -> None:
        """Read one record of the log."""
        self.registry.observe(LogRecord(LogPartition(Topic.OPERATIONS, 0), 0, outgoing.key, outgoing.value, {}))


def claimed(runner: str, epoch: int) -> OperationRecord:
    return replace(BEGUN, runner=runner, epoch=epoch)


def test_of_two_claims_of_an_epoch_the_first_counts() -> None:
    found = Fixture()
    assert found.read(BEGUN, claimed("second", 2), claimed("third", 2)) == claimed("second", 2)
    assert found.passed_over == [claimed("second", 2)]


def test_a_worker_that_has_lost_an_operation_changes_nothing() -> None:
    found = Fixture()
    late = replace(BEGUN, tallies=())
    assert found.read(BEGUN, claimed("second", 2), late) == claimed("second", 2)


def test_the_worker_that_has_an_operation_goes_on_with_it() -> None:
    further = replace(claimed("second", 2), page=())
    assert Fixture().read(BEGUN, claimed("second", 2), further) == further


def test_nothing_follows_the_end() -> None:
    ended = replace(BEGUN, state=OperationState.FINISHED, ended_ms=1)
    found = Fixture()
    assert found.read(BEGUN, ended, claimed("second", 2)) == ended
    assert found.passed_over == [ended], "its worker writes it again: compaction keeps the last record alone"


def test_an_operation_that_was_left_can_be_claimed() -> None:
    left = replace(BEGUN, runner="")
    assert Fixture().read(BEGUN, left, claimed("second", 2)) == claimed("second", 2)


def test_silence_counts_from_the_last_sign_of_the_worker_that_has_it() -> None:
    found = Fixture()
    found.read(BEGUN, claimed("second", 2))
    found.now = 10.0
    found.read(BEGUN)
    assert found.registry.silent_s(ID) == 10.0
    found.read(claimed("second", 2))
    assert found.registry.silent_s(ID) == 0.0


def test_a_wish_to_stop_is_no_state() -> None:
    found = Fixture()
    found.read(BEGUN)
    wish = replace(BEGUN, state=OperationState.STOPPED, stopped_by="somebody")
    found.take(operation_stop_outgoing(wish))
    assert found.registry.get(ID) == BEGUN
    assert found.registry.stop_of(ID) == wish


def test_what_was_removed_is_gone() -> None:
    found = Fixture()
    found.read(BEGUN)
    found.take(operation_stop_outgoing(BEGUN))
    for tombstone in operation_tombstones(ID):
        found.take(tombstone)
    assert found.registry.list() == []
    assert found.registry.stop_of(ID) is None


def test_a_record_that_cannot_be_read_changes_nothing() -> None:
    found = Fixture()
    found.read(BEGUN)
    found.take(OutgoingRecord(Topic.OPERATIONS, ID.encode(), b"not JSON"))
    assert found.registry.list() == [BEGUN]
