"""The dry run of an operation: what would be decided on a sample of its items now. Nothing is written."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from msgspec import Struct

from api.control.service import ControlRequest, ControlService
from api.errors import Problem
from api.letters.service import DeadLetterService
from api.operations.selection import MOST_COUNTED, Selection
from api.operations.work import Outcome, problem_outcome, request_body
from schemas.internal.dead_letters import DISCARDED, OPEN, REPLAYED
from schemas.internal.enums import Disposition
from schemas.internal.operations import OperationAction, OperationRecord, RefusedItem, Tally
from schemas.public.requests import RequestKind

MOST_SAMPLED = 50
"""Items that are decided in their present state: each has its records read again from the inbox."""
_CONCURRENT = 4
_WITHIN_S = 10.0
UNKNOWN = "unknown"
"""Disposition of an item whose decision cannot be told now."""


class DryRun(Struct, frozen=True, kw_only=True):
    """What would come of an operation, as far as its sample shows."""

    action: OperationAction
    fits: int
    """Items that fit now, counted up to a bound."""
    more: bool
    """The bound was reached, so there are more."""
    sampled: int
    """Items whose decision was made."""
    sentence: str
    tallies: tuple[Tally, ...]
    refused: tuple[RefusedItem, ...]
    """Items of the sample to which the action would not be applied."""


class DryRuns(NamedTuple):
    """Makes dry runs."""

    selection: Selection
    control: ControlService
    letters: DeadLetterService

    async def run(self, record: OperationRecord) -> DryRun:
        """Return what would be decided on the first items now. Raises `OrchestratorError` without a projection."""
        count = await self.selection.count(record)
        page = await self.selection.page(record, "", MOST_SAMPLED)
        found = await self._decided(record, page.ids)
        tallies = Counter(found.values())
        return DryRun(
            action=record.action,
            fits=min(count, MOST_COUNTED),
            more=count > MOST_COUNTED,
            sampled=len(found),
            sentence=_sentence(record, count, found),
            tallies=tuple(Tally(*outcome, number) for outcome, number in sorted(tallies.items())),
            refused=tuple(RefusedItem(item, *outcome) for item, outcome in found.items() if not outcome.applied),
        )

    async def _decided(self, record: OperationRecord, items: tuple[str, ...]) -> dict[str, Outcome]:
        """Return what would be decided on each item, as far as there was time for."""
        room, until = asyncio.Semaphore(_CONCURRENT), time.monotonic() + _WITHIN_S
        preview: Callable[[OperationRecord, str], Awaitable[Outcome]]
        preview = self._letter if record.action.of_letters else self._batch

        async def decide(item: str) -> Outcome | None:
            async with room:
                if time.monotonic() > until:
                    return None
                try:
                    return await preview(record, item)
                except Problem as problem:
                    if problem.status >= 500:
                        return Outcome(UNKNOWN, problem.code)
                    return problem_outcome(problem)

        outcomes = await asyncio.gather(*(decide(item) for item in items))
        return {item: found for item, found in zip(items, outcomes, strict=True) if found is not None}

    async def _batch(self, record: OperationRecord, batch_id: str) -> Outcome:
        asked = ControlRequest(
            kind=RequestKind(record.action.value),
            batch_id=batch_id,
            body=request_body(record),
            principal=record.principal,
            correlation_id=record.operation_id,
            key=None,
            size=0,
        )
        found = await self.control.preview(asked)
        return Outcome(found.disposition.value, found.reason.value)

    async def _letter(self, record: OperationRecord, dead_letter_id: str) -> Outcome:
        if record.action is OperationAction.DISCARD_DEAD_LETTERS:
            state = (await self.letters.get(dead_letter_id)).state
            if state == OPEN:
                return Outcome(Disposition.APPLIED.value, DISCARDED)
            return Outcome(Disposition.REFUSED.value, f"already_{state}")
        found = await self.letters.preview(dead_letter_id)
        if found.disposition is None:
            fault = found.fault or {}
            return Outcome(UNKNOWN if found.becomes == "inbox_record" else "dead_letter", fault.get("code", ""))
        return Outcome(found.disposition.value, REPLAYED if found.reason is None else found.reason.code.value)


def _sentence(record: OperationRecord, count: int, found: dict[str, Outcome]) -> str:
    what = "dead letters" if record.action.of_letters else "batches"
    fits = f"more than {MOST_COUNTED}" if count > MOST_COUNTED else str(count)
    if not count:
        return f"No {what} fit now, so nothing would be done."
    applied = sum(outcome.applied for outcome in found.values())
    text = f"{fits} {what} fit now. The first {len(found)} were decided in their present state: "
    text += f"the action would be applied to {applied} of them, and not to {len(found) - applied}. "
    if count > len(found):
        text += "The others were not looked at, and can have other results. "
    return text + "Nothing was sent; an item that changes before the operation reaches it is decided as it is then."
