"""The service behind the routes of operations: it begins, shows and stops them."""

import time
from typing import NamedTuple
from uuid import uuid4

from msgspec.structs import replace

from api.auth import may_reach
from api.errors import Problem, invalid_query, not_ready
from api.kafka_log.ends import EndOffsets
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogPartition
from api.kafka_log.record_producer import RecordLog
from api.operations import problems
from api.operations.asked import operation_query
from api.operations.dry_run import DryRun, DryRuns
from api.operations.keeper import OperationKeeper
from api.operations.registry import OperationRegistry
from api.operations.selection import MOST_COUNTED, Selection
from api.requests.keys import check_key
from runtime.kafka.partitioner import partition_of
from runtime.logs import get_logger
from schemas.errors import BrokerError, InvalidFilter, OrchestratorError
from schemas.ids import keyed_operation_id
from schemas.internal.events import Principal
from schemas.internal.formats import OPERATION
from schemas.internal.operations import OperationRecord, OperationState
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import operation_outgoing, operation_stop_outgoing
from schemas.public.operations import OperationBody
from schemas.public.registration import fingerprint
from schemas.topics import Topic

MOST_RUNNING = 20
"""Operations that go on at a time; a further one is refused."""
_READ_S = 2.0
_logger = get_logger("api.operations")


class Operations(NamedTuple):
    """Bulk operations. Methods raise `Problem`."""

    registry: OperationRegistry
    keeper: OperationKeeper
    follower: KafkaLogFollower
    log: RecordLog
    ends: EndOffsets
    selection: Selection
    dry_runs: DryRuns

    def list(self, principal: Principal) -> list[OperationRecord]:
        """Return the operations that the caller may see, the newest first."""
        return [record for record in self.registry.list() if _may_see(principal, record)]

    async def get(self, operation_id: str, principal: Principal) -> OperationRecord:
        """Return an operation. Raises `Problem` 404 if there is none, or it belongs to somebody else."""
        found = self.registry.get(operation_id)
        if found is None:
            await self._read_to_end(operation_id)  # it may have been begun at another worker a moment ago
            found = self.registry.get(operation_id)
        if found is None or not _may_see(principal, found):
            raise problems.not_found(operation_id)
        return found

    async def start(self, asked: OperationBody, principal: Principal, key: str | None = None) -> OperationRecord:
        """Begin an operation, and return it once it is durable; with an Idempotency-Key of before, that operation."""
        self._require_ready()
        record = self._record(asked, principal, key)
        known = self.registry.get(record.operation_id)
        if known is not None:
            if known.fingerprint != record.fingerprint:
                raise problems.key_reused(record.operation_id)
            return known
        if sum(not other.state.ended for other in self.registry.list()) >= MOST_RUNNING:
            raise problems.too_many(MOST_RUNNING)
        try:
            count = await self.selection.count(record)
        except OrchestratorError as error:
            raise problems.unreadable(error) from error
        record = _counted(record, count)
        await self._append(operation_outgoing(record), record.operation_id)
        _logger.info(
            "operation_started",
            operation=record.operation_id,
            action=record.action.value,
            expected=record.expected,
            subject=principal.subject,
            reason=record.reason,
        )
        self.keeper.nudge()
        return self.registry.get(record.operation_id) or record

    async def dry_run(self, asked: OperationBody, principal: Principal) -> DryRun:
        """Return what would come of an operation; nothing is written."""
        self._require_ready()
        try:
            return await self.dry_runs.run(self._record(asked, principal, None))
        except Problem:
            raise
        except OrchestratorError as error:
            raise problems.unreadable(error) from error

    async def stop(self, operation_id: str, principal: Principal) -> OperationRecord:
        """Have an operation end after the items in work; return its state, which can be some seconds behind that."""
        found = await self.get(operation_id, principal)
        if found.state.ended:
            return found
        wish = replace(
            found,
            state=OperationState.STOPPED,
            stopped_by=principal.subject,
            updated_ms=_now_ms(),
            page=(),
            ids=(),
            tallies=(),
            refused=(),
        )
        await self._append(operation_stop_outgoing(wish), f"{operation_id}/stop")
        self.keeper.nudge()
        return self.registry.get(operation_id) or found

    def _record(self, asked: OperationBody, principal: Principal, key: str | None) -> OperationRecord:
        now = _now_ms()
        try:
            query = operation_query(asked, now)
        except InvalidFilter as error:
            raise invalid_query(error) from error
        operation_id = str(uuid4())
        if key is not None:
            operation_id = keyed_operation_id(principal.organisation, principal.subject, check_key(key))
        return OperationRecord(
            writer=OPERATION.version,
            least_reader=OPERATION.least_reader,
            operation_id=operation_id,
            action=asked.kind,
            principal=principal,
            reason=asked.reason,
            fingerprint=fingerprint(asked.model_dump(mode="json", exclude={"dry_run"})),
            filter=query,
            ids=tuple(dict.fromkeys(asked.ids or ())),
            phase=asked.phase or "",
            essays=asked.essays if asked.phase else "",
            created_ms=now,
            updated_ms=now,
            state=OperationState.RUNNING,
            runner=self.keeper.name,
        )

    async def _append(self, outgoing: OutgoingRecord, key: str) -> None:
        """Write a record, and wait until this worker has read it."""
        try:
            await self.log.append(outgoing)
        except BrokerError as error:
            raise problems.unwritten(error) from error
        await self._read_to_end(key)

    async def _read_to_end(self, key: str) -> None:
        """Read the operations topic up to its present end; without an answer of Kafka, go on with what is known."""
        count = sum(partition.topic is Topic.OPERATIONS for partition in self.follower.positions)
        if not count:
            return
        partition = LogPartition(Topic.OPERATIONS, partition_of(key.encode(), count))
        try:
            end = await self.ends.end(partition, _READ_S)
        except BrokerError:
            return
        await self.follower.reached(partition, end, _READ_S)

    def _require_ready(self) -> None:
        if not self.follower.ready:
            why = self.follower.waiting_for or "the Kafka log is still being read"
            raise not_ready(f"Operations cannot be begun yet: {why}.")


def _counted(record: OperationRecord, count: int) -> OperationRecord:
    return replace(record, expected=min(count, MOST_COUNTED), expected_more=count > MOST_COUNTED)


def _may_see(principal: Principal, record: OperationRecord) -> bool:
    return may_reach(principal, record.principal.organisation, record.principal.subject)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
