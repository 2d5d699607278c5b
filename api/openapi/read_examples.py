"""Examples of the answers that the read side gives, made by the code that makes the answers."""

from functools import cache
from typing import Any

import msgspec

from api.asyncapi.story import Story, tell
from api.monitoring.processes import ProcessView
from api.queries.lists import ListPage
from api.queries.system import (
    GateState,
    PartitionState,
    ProjectionState,
    SettingsGroup,
    SystemState,
    Trend,
)
from api.routes.batch_response import batch_body, explained_body, list_body
from api.routes.system_response import pipeline_body, stats_body, system_body
from schemas.internal.enums import DeadlineKind
from schemas.internal.records import decode_process
from schemas.internal.status import StatusRecord
from schemas.topics import Topic, TopicTable
from state.pipelines.loader import load_pipelines
from state.projection import Due, LetterPage, PhaseStats, Stats, StatusCounts, Usual
from state.why import Lag, Why, why

_MINUTE_MS = 60_000
_USUAL = Usual(180_000, 540_000, 212)


@cache
def examples() -> dict[str, Any]:
    """Return an example of each body, by the name of its schema."""
    story = tell(TopicTable())
    running = story.running
    explained = _why(running)
    page = ListPage(batches=(running,), next_cursor="WzE3NjQxNjU4NjIwMDAsIjJmNWU3YjFjIl0", as_of_ms=running.updated_ms)
    pipeline = load_pipelines().default
    described = pipeline_body(
        pipeline, usual={phase.name: _USUAL for phase in pipeline.phases}, live=412, is_default=True
    )
    bodies: dict[str, Any] = {
        "BatchList": list_body(page, [explained], None),
        "Batch": batch_body(running, explained, 0, LetterPage((), None)),
        "Explained": explained_body(running, explained),
        "StatsBody": stats_body(_stats(running), None),
        "System": system_body(_system(story)),
        "Pipeline": described,
        "PipelineList": {"pipelines": [described], "stale": None},
    }
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(bodies))
    return found


def _why(record: StatusRecord) -> Why:
    return why(record, record.updated_ms + 2 * _MINUTE_MS)


def _stats(record: StatusRecord) -> Stats:
    drained = (0,) * 55 + (12, 30, 25, 28, 30)
    return Stats(
        now_ms=record.updated_ms + 250,
        as_of_ms=record.updated_ms,
        counts=StatusCounts(
            batches={"processing_pipelines": 412, "completed_successfully": 18_204},
            phases={"cj_assessment": {"dispatch_initiated": 380}},
            stalled=1,
            paused=3,
            attention=3,
            reasons={"stalled": 1, "dead_letter": 2},
        ),
        live=412,
        phases=(
            PhaseStats(
                phase="cj_assessment",
                batches=380,
                essays=9_120,
                oldest_start_ms=record.updated_ms - 41 * _MINUTE_MS,
                drained=drained,
                drain_per_minute=25.0,
                eta_ms=record.updated_ms + 365 * _MINUTE_MS,
                failed_last_hour=14,
                usual=_USUAL,
            ),
        ),
        registered=drained,
        ended=drained,
        dispositions={"applied": 1_201, "duplicate": 14},
        next_deadlines=(
            Due(
                batch_id=record.batch_id,
                due_ms=record.updated_ms + 1_440 * _MINUTE_MS,
                kind=DeadlineKind.PHASE,
                phase="cj_assessment",
            ),
        ),
        overdue=(),
        missed=0,
    )


def _system(story: Story) -> SystemState:
    process = decode_process(story.records[Topic.PROCESSES].value or b"")
    position = process.positions[0]
    return SystemState(
        as_of_ms=process.time_ms,
        healthy=True,
        problems=(),
        processes=(ProcessView(record=process, state="live", silent_s=0.4),),
        partitions=(
            PartitionState(
                process=process.name,
                topic=position.topic,
                partition=position.partition,
                position=position.position,
                end=position.end,
                behind=position.end - position.position,
                seconds=position.lag_s,
                trend=Trend.FALLING,
                caught_up_in_s=2.5,
            ),
        ),
        lags=(Lag("inbox", position.partition, position.lag_s),),
        gate=GateState(open_until_ms=process.time_ms - 600, behind_s=0.6),
        settings=(
            SettingsGroup(
                settings_digest=process.settings_digest, version=process.version, processes=(process.name, "router/0")
            ),
        ),
        projection=ProjectionState(state="current", behind_s=0.2, error=None),
    )
