"""The service behind explanations: states at a version, their differences, decisions, what if, and fixtures."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from api.errors import Problem
from api.explain.fixture import fixture
from api.explain.lives import Life, Lives
from api.routes.status_response import status_body
from schemas.errors import Code, ConfigurationError
from schemas.internal.events import RegisterBatch
from schemas.internal.history import EffectNote, HistoryRecord
from schemas.internal.pipeline import PipelineDefinition, Pipelines
from schemas.internal.status import StatusRecord
from schemas.topics import TopicTable
from state.batch import Batch
from state.compose import NextEvent, imagine
from state.decision.records import status_record
from state.differences import FieldChange, differences
from state.pipelines.loader import parse_pipelines
from state.replay import Difference, Replay
from state.travel import moment, state_at
from state.what_if import WhatIf, what_if

_SENT_FILE = "the pipelines file"
Answer = TypeVar("Answer")


class ExplainedDecision(Struct, frozen=True, kw_only=True):
    """One decision on a batch, with its event and everything that it changed."""

    history: HistoryRecord
    """The decision as it was published."""
    position: int
    """Place of the event in the batch's order; the version of the batch, where it was applied."""
    event: dict[str, Any] | None
    """The event's body as the inbox record has it; None where it was quarantined and is a dead letter."""
    before: StatusRecord | None
    after: StatusRecord | None
    changes: tuple[FieldChange, ...]
    """What it changed in the batch's status, by the names of its JSON form."""
    effects: tuple[EffectNote, ...]
    """What was published."""
    differences: tuple[Difference, ...]
    """Where the same event is decided otherwise now than it was published."""
    previous: int | None
    """Position of the event before it."""
    next: int | None
    """Position of the event after it; None while it is the last."""


class NextDecision(Struct, frozen=True, kw_only=True):
    """What would be decided on an event that has not happened."""

    event: str
    """Kind of the event."""
    time_ms: int
    """When it would come: now, or when the deadline is due."""
    before: StatusRecord
    after: StatusRecord
    history: HistoryRecord
    changes: tuple[FieldChange, ...]


class ExplainService:
    """Explains batches from their own records. Callers check first that their user may see the batch.

    Methods raise `Problem`: 404 where there is no such batch or version, 410 where retention has removed records that
    are needed, 500 where the records do not give what was published, 503 where they cannot be read in time.
    """

    def __init__(self, lives: Lives, topics: TopicTable, product_version: str) -> None:
        self._lives = lives
        self._topics = topics
        self._product_version = product_version
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="explain")

    async def at(self, batch_id: str, version: int) -> StatusRecord:
        """Return the batch as it was at a version: after the last event up to it. It never changes again."""
        life = await self._reaching(batch_id, version)
        return await self._run(lambda: _status_at(life, batch_id, version))

    async def diff(self, batch_id: str, before: int, after: int) -> tuple[FieldChange, ...]:
        """Return what differs between the states at two versions, by the names of the status's JSON form."""
        life = await self._reaching(batch_id, max(before, after))

        def compare() -> tuple[FieldChange, ...]:
            states = [status_body(_status_at(life, batch_id, version)) for version in (before, after)]
            return differences(*states)

        return await self._run(compare)

    async def decision(self, batch_id: str, position: int) -> ExplainedDecision:
        """Return the decision on the event at a position: the version of the batch, for an event that was applied."""
        life = await self._reaching(batch_id, position)
        return await self._run(lambda: _decision_at(life, batch_id, position))

    async def what_if(self, batch_id: str, text: str, pipeline: str = "") -> WhatIf:
        """Decide the batch's events under a definition of a pipelines file, whose text is given, and compare.

        The definition is that of the name `pipeline`, or of the batch's own pipeline, or else the default. Raises
        `Problem` 422 for a file that cannot be used, or that has no definition of that name.
        """
        pipelines = await self._run(lambda: _parse(text, self._topics))
        life = await self._lives.whole(batch_id)
        definition = _chosen(pipelines, pipeline, _own_pipeline(life))
        return await self._run(lambda: what_if(life.events, definition))

    async def imagine(self, batch_id: str, asked: NextEvent) -> NextDecision:
        """Return what would be decided if this happened next to the batch as it is now. Nothing is sent."""
        batch = await self._lives.present(batch_id)
        return await self._run(lambda: _imagined(batch, asked))

    async def fixture(self, batch_id: str) -> bytes:
        """Return the batch's records and decisions as a file that `tests/corpus` replays."""
        life = await self._lives.whole(batch_id)
        return await self._run(lambda: fixture(batch_id, life.events, self._product_version))

    def stop(self) -> None:
        """End the threads without waiting for work that is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _reaching(self, batch_id: str, position: int) -> Life:
        life = await self._lives.up_to(batch_id, position)
        if not life.first <= position <= life.last:
            raise version_not_found(batch_id, position, life.first, life.last)
        return life

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def version_not_found(batch_id: str, version: int, first: int, last: int) -> Problem:
    """Return the problem of a version that the batch never had, or has not reached."""
    return Problem(
        404,
        Code.VERSION_NOT_FOUND,
        f"The batch has no decision at {version}: its decisions go from {first} to {last}.",
        next_step="Use a version of the batch's history.",
        error="Version not found",
        extra={"batch_id": batch_id, "version": version},
    )


def _status_at(life: Life, batch_id: str, version: int) -> StatusRecord:
    found = state_at(life.events, version)
    if found is None or found.batch is None:
        raise version_not_found(batch_id, version, life.first, life.last)
    _require_published(found, version)
    return status_record(found.batch)


def _require_published(found: Replay, version: int) -> None:
    """Raise `Problem` 500 where the rules decide an event up to the version otherwise than it was published."""
    differing = [str(each.published.offset) for each in found.decisions if each.differences]
    if differing:
        raise Problem(
            500,
            Code.REPLAY_DIFFERS,
            f"The state at {version} cannot be rebuilt: the events at offset {', '.join(differing[:5])} are decided "
            "otherwise now than was published.",
            next_step="See `bos batches replay ID`; after an upgrade, batches that were started before can differ.",
            error="Replay differs",
        )


def _decision_at(life: Life, batch_id: str, position: int) -> ExplainedDecision:
    found = moment(life.events, position)
    if found is None:
        raise version_not_found(batch_id, position, life.first, life.last)
    record, history = found.recorded.record, found.recorded.history
    before, after = (None if batch is None else status_record(batch) for batch in (found.before, found.after))
    return ExplainedDecision(
        history=history,
        position=position,
        event=None if record is None else msgspec.to_builtins(record.body),
        before=before,
        after=after,
        changes=differences({} if before is None else status_body(before), {} if after is None else status_body(after)),
        effects=history.effects,
        differences=found.replayed.decisions[-1].differences,
        previous=found.previous,
        next=found.next,
    )


def _imagined(batch: Batch, asked: NextEvent) -> NextDecision:
    found = imagine(batch, asked, time.time_ns() // 1_000_000)
    before = status_record(batch)
    after = before if found.decision.batch is None else status_record(found.decision.batch)
    return NextDecision(
        event=found.history.kind,
        time_ms=found.event.time_ms,
        before=before,
        after=after,
        history=found.history,
        changes=differences(status_body(before), status_body(after)),
    )


def _own_pipeline(life: Life) -> str:
    """Return the name of the pipeline that the batch was registered with."""
    record = life.events[0].record
    return record.body.pipeline.name if record is not None and isinstance(record.body, RegisterBatch) else ""


def _parse(text: str, topics: TopicTable) -> Pipelines:
    try:
        return parse_pipelines(text, _SENT_FILE, topics)
    except ConfigurationError as error:
        raise _unusable(error.message, error.next_step) from error


def _chosen(pipelines: Pipelines, wanted: str, own: str) -> PipelineDefinition:
    if wanted and wanted not in pipelines.by_name:
        known = ", ".join(pipelines.by_name)
        raise _unusable(f"{_SENT_FILE} has no pipeline {wanted!r}; there are {known}.", "Name one of these, or none.")
    return pipelines.by_name.get(wanted or own, pipelines.default)


def _unusable(detail: str, next_step: str) -> Problem:
    return Problem(422, Code.PIPELINE, detail, next_step=next_step, error="Pipeline not usable")
