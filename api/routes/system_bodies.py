"""Bodies of stats, of the running system and of pipeline definitions, as the OpenAPI document describes them."""

from typing import Annotated

from msgspec import Meta, Struct

from api.queries.system import Trend
from state.projection import StatusCounts
from state.projection import Usual as UsualTime

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Text = Annotated[str, Meta(description="A sentence for a person.")]
Age = Annotated[float, Meta(ge=0, description="Seconds.")]
Number = Annotated[int, Meta(ge=0)]
Stale = Annotated[str | None, Meta(description="Why the numbers are old, as a sentence; null if they are current.")]
Minutes = Annotated[list[int], Meta(description="One number for each of the last 60 minutes, the oldest first.")]


class Finding(Struct, frozen=True, kw_only=True):
    """A problem of the running system."""

    code: str
    process: str
    message: Text
    next_step: Text


class Process(Struct, frozen=True, kw_only=True):
    """A process, as its last report describes it."""

    process: Annotated[str, Meta(description="Kind and instance.")]
    kind: str
    instance: str
    state: Annotated[str, Meta(description="live, missing, stopped or failed.")]
    alive: bool
    assigned: Annotated[bool, Meta(description="A settled member of its consumer group.")]
    restored: Annotated[bool, Meta(description="Its local state has been read back.")]
    restored_percent: Annotated[
        int | None, Meta(description="How much of its local state has been read back, while that is under way.")
    ]
    partitions: Number
    lag_seconds: Age
    silent_seconds: Age
    started_at: Time
    host: str
    pid: int
    version: str
    settings_digest: str
    shares_instance: Annotated[bool, Meta(description="Another live process has the same kind and instance.")]
    problems: list[dict[str, str]]
    open_transactions: list[dict[str, str | int | float]]


class PartitionRead(Struct, frozen=True, kw_only=True):
    """A partition that a process reads."""

    process: str
    topic: str
    partition: Number
    position: Annotated[int | None, Meta(description="Next offset to read; null while it is not known.")]
    end: int | None
    behind: Annotated[int, Meta(ge=0, description="Offsets before the end; transaction markers count.")]
    lag_seconds: Annotated[float, Meta(ge=0, description="Age of the oldest unread record.")]
    trend: Trend
    caught_up_in_seconds: Annotated[
        float | None, Meta(description="At the present trend; null where it does not fall.")
    ]


class GateBody(Struct, frozen=True, kw_only=True):
    """The gate of the timekeepers: deadlines up to `open_until` may be fired."""

    open_until: Time | None
    behind_seconds: float | None


class SettingsBody(Struct, frozen=True, kw_only=True):
    """Live processes with equal settings and version."""

    settings_digest: str
    version: str
    processes: list[str]


class ProjectionBody(Struct, frozen=True, kw_only=True):
    """The projection database, as this api sees it."""

    state: Annotated[str, Meta(description="current, behind or unavailable.")]
    behind_seconds: Age
    error: str | None


class System(Struct, frozen=True, kw_only=True):
    """The running system at one moment."""

    as_of: Time
    healthy: bool
    problems: list[Finding]
    lag_seconds: Annotated[
        dict[str, float], Meta(description="Largest lag of `router`, `inbox` and `projection`, in seconds.")
    ]
    processes: list[Process]
    partitions: list[PartitionRead]
    gate: GateBody | None
    settings: Annotated[list[SettingsBody], Meta(description="More than one group: processes differ.")]
    projection: ProjectionBody


class UsualBody(Struct, frozen=True, kw_only=True):
    """How long the runs of a phase that succeeded took."""

    p50_ms: Number
    p95_ms: Number
    samples: Number


class PhaseNumbers(Struct, frozen=True, kw_only=True):
    """One phase over all batches that the caller may see."""

    phase: str
    batches: Annotated[int, Meta(ge=0, description="Batches in which it runs now.")]
    essays: Annotated[int, Meta(ge=0, description="Essays in flight.")]
    oldest_start: Time | None
    drained: Minutes
    drain_per_minute: float
    eta: Annotated[Time | None, Meta(description="When the essays in flight end at that rate.")]
    failed_last_hour: Number
    usual: UsualBody | None


class DueBody(Struct, frozen=True, kw_only=True):
    """A deadline of a batch."""

    batch_id: str
    kind: str
    phase: str | None
    due_at: Time


class StatsBody(Struct, frozen=True, kw_only=True):
    """What runs, how fast it drains, and what is due, over all batches that the caller may see."""

    now: Time
    as_of: Annotated[Time | None, Meta(description="Newest append time that the numbers reflect.")]
    stale: Stale
    live: Number
    counts: StatusCounts
    phases: list[PhaseNumbers]
    registered: Minutes
    ended: Minutes
    dispositions: Annotated[
        dict[str, int],
        Meta(description="Inbox records of the last hour; empty for callers that do not see every owner."),
    ]
    next_deadlines: list[DueBody]
    overdue: list[DueBody]
    missed: Number


class PipelinePhase(Struct, frozen=True, kw_only=True):
    """A phase of a pipeline definition (docs/pipelines.md)."""

    name: str
    after: list[str]
    when: str
    stalled_after_s: int
    deadline_s: int
    max_attempts: int
    retry_backoff_s: int
    echoes_attempt: bool
    on_partial_failure: str
    join: str
    on_failure: str
    hold_s: int
    payload: str
    command_topic: str
    usual: UsualBody | None


class Pipeline(Struct, frozen=True, kw_only=True):
    """A pipeline definition, with every field."""

    name: str
    version: int
    default: Annotated[bool, Meta(description="Whether registrations that name none get it.")]
    live_batches: Annotated[
        int | None, Meta(description="Live batches of this name, at most 10,000; null if they cannot be counted now.")
    ]
    provisioning_deadline_s: int
    purge_after_s: int
    phases: list[PipelinePhase]


class PipelineList(Struct, frozen=True, kw_only=True):
    """All pipeline definitions of the file."""

    pipelines: list[Pipeline]
    stale: Stale


MODELS = (System, StatsBody, Pipeline, PipelineList)


def usual_body(usual: UsualTime | None) -> UsualBody | None:
    """Return the body of usual times; None where nothing is known."""
    if usual is None or not usual.samples:
        return None
    return UsualBody(p50_ms=usual.p50_ms, p95_ms=usual.p95_ms, samples=usual.samples)
