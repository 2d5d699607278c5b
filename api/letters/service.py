"""Working dead letters: one by its id, or a group by a filter."""

import asyncio
import time
from typing import NamedTuple

from msgspec import Struct

from api.errors import Problem
from api.kafka_log.record_producer import RecordLog
from api.letters.previews import Preview, Previews
from api.letters.refusals import Refusal, empty_filter, letter_not_found, refused, too_many, unreadable, unwritten
from api.queries.projection import BoundedProjection
from runtime.logs import get_logger
from schemas.errors import BrokerError, OrchestratorError, RecordTooLarge
from schemas.internal.dead_letters import DISCARDED, OPEN, REPLAYED, Handled, handled_letter, replayed_letter
from state.batch import Batch
from state.projection import LetterFilter, StoredLetter

MOST_LETTERS = 1_000
"""Dead letters that one request works at most."""
_GROUP_S = 20.0
"""Seconds after which a request begins with no further dead letter of its group; what is left is counted."""
_VISIBLE_S = 2.0
_POLL_S = 0.05
_logger = get_logger("api.letters")


class Act(NamedTuple):
    """What is to be done with dead letters."""

    state: str
    """`replayed` or `discarded`."""
    by: str
    note: str = ""


class Refused(Struct, frozen=True):
    """A dead letter of a group that was left as it is."""

    dead_letter_id: str
    code: str
    detail: str


class Worked(Struct, frozen=True):
    """What became of a group."""

    matched: int
    done: int
    refused: tuple[Refused, ...]
    left: int
    """Dead letters that there was no time for; the request can be sent again."""


class GroupPreview(Struct, frozen=True):
    """What would become of a group if all of it were replayed."""

    matched: int
    previews: tuple[Preview, ...]
    refused: tuple[Refused, ...]
    left: int
    """Dead letters that could not be previewed in time."""


class DeadLetterService:
    """Reads dead letters from the projection, and writes what is done with them. Methods raise `Problem`."""

    def __init__(self, projection: BoundedProjection, log: RecordLog, previews: Previews) -> None:
        self._projection = projection
        self._log = log
        self._previews = previews

    async def get(self, dead_letter_id: str) -> StoredLetter:
        """Return a dead letter with its value."""
        if "\x00" in dead_letter_id:
            raise letter_not_found(dead_letter_id)  # PostgreSQL refuses a NUL in a query
        try:
            found = await self._projection.letters(lambda reader: reader.dead_letter(dead_letter_id))
        except OrchestratorError as error:
            raise unreadable(error) from error
        if found is None:
            raise letter_not_found(dead_letter_id)
        return found

    async def preview(self, dead_letter_id: str) -> Preview:
        """Return what a replay of a dead letter would become."""
        return await self._previews.preview(await self.get(dead_letter_id), {})

    async def work(self, dead_letter_id: str, act: Act) -> Handled:
        """Replay or discard a dead letter; return what was noted with it, once the projection shows it."""
        handled = await self._work(dead_letter_id, act)
        await self._wait_until_visible(dead_letter_id, handled)
        return handled

    async def handle(self, dead_letter_id: str, act: Act) -> Handled:
        """Replay or discard a dead letter; return what was noted with it, without waiting for the projection."""
        return await self._work(dead_letter_id, act)

    async def select(self, filters: LetterFilter, limit: int | None) -> tuple[int, tuple[str, ...]]:
        """Return how many dead letters fit, and the ids of those that are to be worked, the oldest first."""
        if filters == LetterFilter(state=filters.state):
            raise empty_filter()
        most = MOST_LETTERS if limit is None else min(limit, MOST_LETTERS)
        try:
            count = await self._projection.letters(lambda reader: reader.count_dead_letters(filters))
            if count > most and limit is None:
                raise too_many(count, MOST_LETTERS)
            ids = await self._projection.letters(lambda reader: reader.dead_letter_ids(filters, limit=most))
        except Problem:
            raise
        except OrchestratorError as error:
            raise unreadable(error) from error
        return count, ids

    async def preview_group(self, filters: LetterFilter, limit: int | None) -> GroupPreview:
        """Return what would become of the dead letters that fit, if they were replayed in this order."""
        count, ids = await self.select(filters, limit)
        states: dict[str, Batch | None] = {}
        previews, refusals, until = [], [], time.monotonic() + _GROUP_S
        for dead_letter_id in ids:
            if time.monotonic() > until:
                break
            try:
                previews.append(await self._previews.preview(await self.get(dead_letter_id), states))
            except Problem as problem:
                refusals.append(_refused(dead_letter_id, problem))
        left = len(ids) - len(previews) - len(refusals)
        return GroupPreview(count, tuple(previews), tuple(refusals), left)

    async def work_group(self, filters: LetterFilter, limit: int | None, act: Act) -> Worked:
        """Replay or discard the dead letters that fit, the oldest first; a refusal does not stop the others."""
        count, ids = await self.select(filters, limit)
        refusals: list[Refused] = []
        last: tuple[str, Handled] | None = None
        until = time.monotonic() + _GROUP_S
        done = 0
        for dead_letter_id in ids:
            if time.monotonic() > until:
                break
            try:
                last = (dead_letter_id, await self._work(dead_letter_id, act))
                done += 1
            except Problem as problem:
                if problem.status >= 500:
                    raise  # Kafka or the projection is away: what is done stays done, and the request can be repeated
                refusals.append(_refused(dead_letter_id, problem))
        if last is not None:
            await self._wait_until_visible(*last)
        return Worked(count, done, tuple(refusals), len(ids) - done - len(refusals))

    async def _work(self, dead_letter_id: str, act: Act) -> Handled:
        stored = await self.get(dead_letter_id)
        _check(stored, act)
        letter = stored.letter
        handled = Handled(
            state=act.state,
            letter_offset=stored.letter_offset,
            letter_time_ms=stored.time_ms,
            time_ms=time.time_ns() // 1_000_000,
            by=act.by,
            note=act.note,
        )
        sent = False
        try:
            if act.state == REPLAYED:
                await self._log.append(replayed_letter(dead_letter_id, letter.value, stored.headers))
                sent = True
            try:
                await self._log.append(handled_letter(dead_letter_id, letter.value, stored.headers, handled))
            except RecordTooLarge:
                await self._log.append(handled_letter(dead_letter_id, None, stored.headers, handled))
        except (BrokerError, RecordTooLarge) as error:
            raise unwritten(error, sent=sent) from error
        _logger.info("dead_letter_handled", dead_letter_id=dead_letter_id, state=act.state, by=act.by, note=act.note)
        return handled

    async def _wait_until_visible(self, dead_letter_id: str, handled: Handled) -> None:
        """Wait until lists show what was done; it is done also where that takes longer."""
        until = time.monotonic() + _VISIBLE_S
        while time.monotonic() < until:
            try:
                state = await self._projection.letters(lambda reader: reader.dead_letter_state(dead_letter_id))
            except OrchestratorError:
                return
            if state is None or state[0] == handled.state or state[1] > handled.letter_offset:
                return
            await asyncio.sleep(_POLL_S)


def _check(stored: StoredLetter, act: Act) -> None:
    """Raise `Problem` 409 for something that makes no sense with this dead letter."""
    letter_id = stored.letter.dead_letter_id
    if stored.state == REPLAYED:
        raise refused(letter_id, Refusal.ALREADY_REPLAYED)
    if act.state == DISCARDED and stored.state != OPEN:
        raise refused(letter_id, Refusal.ALREADY_DISCARDED)
    if act.state == REPLAYED and stored.letter.value is None:
        raise refused(letter_id, Refusal.NO_VALUE)


def _refused(dead_letter_id: str, problem: Problem) -> Refused:
    return Refused(dead_letter_id, problem.code, problem.message)
