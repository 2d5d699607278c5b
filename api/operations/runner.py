"""One operation at work: a page of items at a time, with its progress in the log after each.

While Kafka, the orchestrator or the projection is away, the operation waits. An error that no repeat can mend gives up
the item in which it occurs, or the operation where it concerns all of it; either way the code is in the result.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from msgspec.structs import replace

from api.errors import Problem
from api.kafka_log.record_producer import RecordLog
from api.operations.registry import OperationRegistry
from api.operations.selection import PAGE, Selection
from api.operations.work import Outcome, Worker
from runtime.logs import get_logger
from schemas.errors import (
    BrokerError,
    Code,
    OperationLost,
    OrchestratorError,
    ProjectionError,
    TokensUnavailable,
    TopicError,
)
from schemas.internal.enums import Disposition
from schemas.internal.operations import MOST_REFUSED, OperationRecord, OperationState, RefusedItem, Tally
from schemas.internal.records import operation_outgoing

BEAT_S = 3.0
"""Seconds between two signs of life of a runner, while the items of its page are in work."""
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0
_RELEASE_S = 1.0
_PASSING = (BrokerError, ProjectionError, TokensUnavailable, TopicError)
"""Errors that end by themselves, or by what an operator does elsewhere: a repeat can succeed."""
_PASSING_STATUSES = frozenset({429, 503})
_logger = get_logger("api.operations")
Found = TypeVar("Found")


class OperationRunner:
    """Runs an operation that the registry says this worker has, until its end or until it is stopped."""

    def __init__(
        self, record: OperationRecord, registry: OperationRegistry, log: RecordLog, selection: Selection, worker: Worker
    ) -> None:
        self._record = record
        self._registry = registry
        self._log = log
        self._selection = selection
        self._worker = worker
        self._writing = asyncio.Lock()
        self._waiting_for = ""
        self._closed = False

    def close(self) -> None:
        """Begin nothing more. A cancellation alone does not do it: a request under way answers it as no answer."""
        self._closed = True

    async def run(self) -> None:
        """Work until the operation has ended, or another worker has it."""
        beat = asyncio.create_task(self._beat())
        try:
            while not self._record.state.ended:
                await self._step()
            _logger.info("operation_ended", operation=self._record.operation_id, state=self._record.state.value)
        except OperationLost:
            _logger.info("operation_left", operation=self._record.operation_id, done=self._record.done)
        except Exception as error:  # noqa: BLE001 - any error would come again at each repeat
            await self._fail(error)
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def release(self) -> None:
        """Leave the operation to whichever worker takes it up; call it after `close`, once `run` has ended."""
        if self._record.state.ended:
            return
        with suppress(OrchestratorError, TimeoutError):
            async with asyncio.timeout(_RELEASE_S):
                await self._log.append(operation_outgoing(self._changed(runner="")))

    async def _step(self) -> None:
        self._require_held()
        stop = self._registry.stop_of(self._record.operation_id)
        if stop is not None:
            await self._end(OperationState.STOPPED, stopped_by=stop.stopped_by)
        elif self._record.page:
            await self._work_page()
        elif self._record.last_page:
            await self._end(OperationState.FINISHED)
        else:
            page = await self._patiently(
                lambda: self._selection.page(self._record, self._record.cursor, PAGE), give_up=self._stopping
            )
            if page is not None:
                await self._save(page=page.ids, cursor=page.cursor or "", last_page=page.cursor is None)

    async def _work_page(self) -> None:
        page = self._record.page
        outcomes = await asyncio.gather(*(self._item(item) for item in page))
        found = {item: outcome for item, outcome in zip(page, outcomes, strict=True) if outcome is not None}
        await self._save(
            page=tuple(item for item in page if item not in found),
            tallies=_tallied(self._record.tallies, found.values()),
            refused=_with_refused(self._record.refused, found),
        )

    async def _item(self, item: str) -> Outcome | None:
        """Return what was decided on an item, or why it was given up; None if it was left because of a stop."""
        if self._stopping():
            return None
        try:
            return await self._patiently(lambda: self._worker.work(self._record, item), give_up=self._stopping)
        except OperationLost:
            raise
        except Exception as error:  # noqa: BLE001 - one item does not end the work on the others
            code, _ = self._told("operation_item_given_up", error, item=item)
            return Outcome(Disposition.QUARANTINED.value, code)

    async def _patiently(self, call: Callable[[], Awaitable[Found]], give_up: Callable[[], bool]) -> Found | None:
        """Call until it succeeds, while Kafka or the projection is away. Raises any error that does not pass."""
        wait = _FIRST_WAIT_S
        while True:
            self._require_held()
            try:
                found = await call()
            except OrchestratorError as error:
                if not _passes(error):
                    raise
                self._note(error.message)
            else:
                self._waiting_for = ""
                return found
            if give_up():
                return None
            self._require_held()
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)

    def _note(self, why: str) -> None:
        if not self._waiting_for:
            _logger.warning("operation_waits", operation=self._record.operation_id, reason=why)
        self._waiting_for = why

    def _stopping(self) -> bool:
        return self._registry.stop_of(self._record.operation_id) is not None

    def _require_held(self) -> None:
        """Raise `OperationLost` if this worker stops, or the log says that another one has the operation."""
        if self._closed:
            raise OperationLost
        known = self._registry.get(self._record.operation_id)
        if (
            known is None
            or known.state.ended
            or (known.epoch, known.runner)
            != (
                self._record.epoch,
                self._record.runner,
            )
        ):
            raise OperationLost

    async def _fail(self, error: Exception) -> None:
        """End the operation by an error that no repeat can mend, unless another worker has it."""
        code, why = self._told("operation_given_up", error)
        with suppress(OperationLost):
            await self._end(OperationState.FAILED, failure_code=code, failure=why)

    def _told(self, event: str, error: Exception, **more: str) -> tuple[str, str]:
        """Log an error, a defect with its traceback; return its code, and what it says to people."""
        known = isinstance(error, OrchestratorError)
        _logger.error(
            event, operation=self._record.operation_id, error=str(error), exc_info=None if known else error, **more
        )
        if isinstance(error, OrchestratorError):
            return str(error.code), error.message
        return str(Code.INTERNAL), "The product has a defect; the log of the api has its traceback."

    async def _end(self, state: OperationState, **changes: Any) -> None:
        await self._save(state=state, ended_ms=_now_ms(), page=(), **changes)

    async def _save(self, **changes: Any) -> None:
        """Write the next state, which counts once it is durable."""
        async with self._writing:
            following = self._changed(**changes)
            await self._patiently(lambda: self._log.append(operation_outgoing(following)), give_up=lambda: False)
            self._record = following

    def _changed(self, **changes: Any) -> OperationRecord:
        return replace(self._record, updated_ms=_now_ms(), waiting_for=self._waiting_for, **changes)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await self._save()


def _passes(error: OrchestratorError) -> bool:
    """Whether a repeat of what failed can succeed."""
    if isinstance(error, Problem):
        return error.status in _PASSING_STATUSES
    return isinstance(error, _PASSING)


def _tallied(before: Iterable[Tally], outcomes: Iterable[Outcome]) -> tuple[Tally, ...]:
    counts = Counter({(tally.disposition, tally.reason): tally.count for tally in before})
    counts.update((outcome.disposition, outcome.reason) for outcome in outcomes)
    return tuple(Tally(*what, count) for what, count in sorted(counts.items()))


def _with_refused(before: tuple[RefusedItem, ...], found: dict[str, Outcome]) -> tuple[RefusedItem, ...]:
    added = (
        RefusedItem(item, outcome.disposition, outcome.reason) for item, outcome in found.items() if not outcome.applied
    )
    return (*before, *added)[:MOST_REFUSED]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
