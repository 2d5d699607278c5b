"""What an explanation is made from, and what it says."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from schemas.internal.enums import ReasonCode
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import PhaseView, StatusRecord


class WhyCode(StrEnum):
    """Why a batch is where it is. Of several that fit, the first one in this order is told (docs/why.md)."""

    DEAD_LETTER_OPEN = "dead_letter_open"
    """An event of the batch was set aside, and nobody has replayed or discarded it yet."""
    PIPE_BEHIND = "pipe_behind"
    """The router or the orchestrator is behind: the batch's next event may already be in Kafka."""
    PAUSED = "paused"
    DEADLINE_PASSED = "deadline_passed"
    """A deadline is over, and nothing has acted on it: the timekeeper or the router is behind or stopped."""
    WAITING_FOR_CONTENT = "waiting_for_content"
    """Registered; no essay has been provisioned."""
    WAITING_FOR_READY = "waiting_for_ready"
    """Provisioned; the students of a class are being matched, and the ready event follows."""
    PHASE_HELD = "phase_held"
    """A phase would have failed, and waits for a person."""
    PHASE_STALLED = "phase_stalled"
    """A phase has run for longer than its pipeline's `stalled_after_s`."""
    OUTCOME_OVERDUE = "outcome_overdue"
    """A phase has run for longer than 95 % of its recent runs."""
    WAITING_TO_RETRY = "waiting_to_retry"
    """An attempt failed, and the next one starts by itself after its backoff."""
    WAITING_FOR_JOIN = "waiting_for_join"
    """A phase waits for several phases, and not all of them have ended."""
    WAITING_FOR_OUTCOME = "waiting_for_outcome"
    """A phase was commanded, and its outcome is not overdue."""
    ENDED_WELL = "ended_well"
    ENDED_PARTLY = "ended_partly"
    ENDED_IN_FAILURE = "ended_in_failure"
    ENDED_CANCELLED = "ended_cancelled"
    UNKNOWN = "unknown"
    """The batch has a status that this version does not know, or nothing of it is under way."""

    @property
    def needs_a_person(self) -> bool:
        """Whether the batch goes on only, or goes on well only, if somebody acts."""
        return self in _NEED_A_PERSON


_NEED_A_PERSON = frozenset(
    {
        WhyCode.DEAD_LETTER_OPEN,
        WhyCode.DEADLINE_PASSED,
        WhyCode.PHASE_HELD,
        WhyCode.PHASE_STALLED,
        WhyCode.UNKNOWN,
    }
)


class Lag(Struct, frozen=True):
    """How far a process is behind on one partition that it reads."""

    where: str
    """`router`, `inbox` or `orchestrator` (both: the orchestrator on the inbox), or `projection`."""
    partition: int
    seconds: float
    """Age of the oldest record that was not read yet; 0 where none is left."""


class Usual(Struct, frozen=True):
    """How long a phase took lately, from its command to its outcome."""

    p50_ms: int
    p95_ms: int
    samples: int
    """Number of runs that the percentiles are taken from."""


class Action(Struct, frozen=True):
    """A control request that somebody could send now, and what would come of it."""

    name: str
    """`cancel`, `pause`, `resume` or `retry`."""
    phase: str = ""
    """The phase to retry."""
    essays: str = ""
    """For `retry`: `failed` or `all`."""
    allowed: bool = True
    """Whether the request would be applied, if its sender is an owner of the batch."""
    refusal: ReasonCode | None = None
    """Reason with which it would be refused."""
    sentence: str = ""
    """The refusal in words; empty where the request would be applied."""


class Why(Struct, frozen=True):
    """Why a batch is where it is, what comes next, and what somebody can do."""

    code: WhyCode
    since_ms: int
    """Since when; the batch's last change where its status does not say more."""
    sentence: str
    """One sentence for a person, with the times and counts of the moment."""
    waiting_for: str
    """What has to happen, in a few words for lists; empty for a batch that has ended."""
    next: str
    """What happens by itself at `next_ms`, in a few words; empty where nothing does."""
    next_ms: int | None
    advice: tuple[Action, ...]
    """Every control request that makes sense for the batch, those that would be refused too."""


class Finding(NamedTuple):
    """An explanation without the advice."""

    code: WhyCode
    since_ms: int
    sentence: str
    waiting_for: str = ""
    next: str = ""
    next_ms: int | None = None


class Facts(NamedTuple):
    """Everything that an explanation is made from."""

    batch: StatusRecord
    now_ms: int
    lags: Sequence[Lag]
    usual: Mapping[str, Usual]
    open_letters: int
    definition: PipelineDefinition | None
    """The definition that the batch runs; None where it is not known, which costs some words and no fact."""

    def phase_definition(self, phase: str) -> PhaseDefinition | None:
        """Return the definition of a phase, where it is known."""
        if self.definition is None:
            return None
        return next((each for each in self.definition.phases if each.name == phase), None)

    def requested(self) -> list[tuple[str, PhaseView]]:
        """Return the requested phases in the order of the pipeline."""
        return [(name, view) for name, view in self.batch.phases.items() if name in self.batch.requested_phases]


Rule = Callable[[Facts], Finding | None]


def under_way(view: PhaseView) -> int:
    """Return how many essays the running attempt of a phase works on."""
    return view.commanded - view.succeeded - view.failed - view.unaccounted
