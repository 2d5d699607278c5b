"""One item of an operation: a batch or a dead letter, worked until it is decided on."""

import asyncio
from typing import Any, NamedTuple, Protocol

from api.errors import Problem
from api.letters.service import Act, DeadLetterService
from api.requests.decided import first_decision
from api.requests.exchange import NewRequest, RequestExchange
from schemas.errors import Code
from schemas.ids import operation_request_id
from schemas.internal.dead_letters import DISCARDED, MAX_NOTE, REPLAYED
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.operations import OperationAction, OperationRecord
from schemas.public.requests import RequestKind

CONCURRENT = 8
"""Items that one worker of the api works at a time, over all its operations: registrations must not wait for them."""
_UNDECIDED = "The operation repeats it by itself."


class Outcome(NamedTuple):
    """What came of an item."""

    disposition: str
    reason: str

    @property
    def applied(self) -> bool:
        """Whether the action was applied."""
        return self.disposition == Disposition.APPLIED


class Worker(Protocol):
    """Works items. What it raises is tried again where it passes by itself: a `Problem` 503 or a `BrokerError`."""

    async def work(self, record: OperationRecord, item: str) -> Outcome:
        """Have the action of `record` decided on one item."""


class ItemWorker:
    """Works the items of every operation of this process."""

    def __init__(self, exchange: RequestExchange, letters: DeadLetterService) -> None:
        self._exchange = exchange
        self._letters = letters
        self._room = asyncio.Semaphore(CONCURRENT)

    async def work(self, record: OperationRecord, item: str) -> Outcome:
        """Have the action decided on one item; of a repeat, return what was decided the first time."""
        async with self._room:
            try:
                if record.action.of_letters:
                    return await self._letter(record, item)
                return await self._batch(record, item)
            except Problem as problem:
                if problem.status == 503:
                    raise
                return problem_outcome(problem)

    async def _batch(self, record: OperationRecord, batch_id: str) -> Outcome:
        request = NewRequest(
            kind=RequestKind(record.action.value),
            batch_id=batch_id,
            principal=record.principal,
            correlation_id=record.operation_id,
            body=request_body(record),
            size=0,
            if_undecided=_UNDECIDED,
            request_id=operation_request_id(record.operation_id, batch_id),
        )
        first = first_decision(await self._exchange.decide(request, self._exchange.until()))
        return Outcome(first.disposition.value, first.reason.value)

    async def _letter(self, record: OperationRecord, dead_letter_id: str) -> Outcome:
        state = REPLAYED if record.action is OperationAction.REPLAY_DEAD_LETTERS else DISCARDED
        mark = f"operation {record.operation_id}"
        stored = await self._letters.get(dead_letter_id)
        handled = stored.letter.handled
        if handled is not None and handled.state == state and handled.note.endswith(mark):
            return Outcome(Disposition.APPLIED.value, state)  # by a worker before this one
        who = record.principal
        by = f"{who.organisation}/{who.subject}" if who.organisation else who.subject
        note = f"{record.reason[: MAX_NOTE - len(mark) - 2]}; {mark}"
        await self._letters.handle(dead_letter_id, Act(state, by, note))
        return Outcome(Disposition.APPLIED.value, state)


def request_body(record: OperationRecord) -> dict[str, Any]:
    """Return the body of each request; it is the same for every item and at every repeat."""
    body: dict[str, Any] = {"reason": record.reason}
    if record.action is OperationAction.RETRY:
        body |= {"phase": record.phase, "essays": record.essays}
    return body


def problem_outcome(problem: Problem) -> Outcome:
    """Return what came of an item whose request was answered with a problem that does not pass by itself."""
    disposition = Disposition.QUARANTINED if problem.status >= 500 else Disposition.REFUSED
    named = problem.extra.get("reason")
    if isinstance(named, str):
        return Outcome(disposition.value, named)
    unknown = problem.code == Code.BATCH_NOT_FOUND
    return Outcome(disposition.value, ReasonCode.UNKNOWN_BATCH.value if unknown else problem.code)
