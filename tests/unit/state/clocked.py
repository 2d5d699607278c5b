"""A story in which time passes: with deadlines that are reached, and with control requests.

The story's clock never goes back. Each event comes one second after the one before, unless time was let pass.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from schemas.internal.enums import DeadlineKind, Disposition, ReasonCode
from schemas.internal.events import (
    BatchContext,
    Body,
    CancelBatch,
    DeadlineReached,
    Event,
    PauseBatch,
    PhaseConcluded,
    Principal,
    ResumeBatch,
    RetryPhase,
)
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import Deadline
from state.codec import decode_batch, encode_batch
from state.decision.attempts import slots_of
from state.decision.decide import decide
from state.decision.records import history_record
from state.decision.result import Decision
from tests.unit.state.story import CORRELATION, DEFAULT, OWNER, SEED_CONTEXT, START_MS, STEP_MS, Story, Told

SECOND_MS = 1_000
STRANGER = Principal(subject="stranger", organisation="school", scopes=("batches:read", "batches:write"))
ADMIN = Principal(subject="admin", organisation="district", scopes=("batches:any-owner",))

RETRIES: dict[str, Any] = {"echoes_attempt": True, "max_attempts": 3, "retry_backoff_s": 10}
HOLDS: dict[str, Any] = {"on_failure": "hold", "hold_s": 1_000}


def phase(name: str, after: Sequence[str] = (), **fields: Any) -> PhaseDefinition:
    """Return a phase that is stalled after 20 s and given up after 100 s, unless `fields` say otherwise."""
    return PhaseDefinition(name=name, after=tuple(after), **{"stalled_after_s": 20, "deadline_s": 100, **fields})


def pipeline_of(*phases: PhaseDefinition) -> PipelineDefinition:
    """Return a pipeline of these phases, which is provisioned within 50 s and purged after 5,000 s."""
    return PipelineDefinition(name="test", version=1, phases=phases, provisioning_deadline_s=50, purge_after_s=5_000)


class ClockedStory(Story):
    """One batch, its events and its clock."""

    def __init__(
        self,
        definition: PipelineDefinition = DEFAULT,
        *,
        phases: Sequence[str] | None = None,
        slots: int = 3,
        context: BatchContext = SEED_CONTEXT,
    ) -> None:
        super().__init__(definition, phases=phases, slots=slots, context=context)
        self.now_ms = START_MS - STEP_MS
        self.requests = 0
        self.lives: list[int] = []
        """Indexes in `told` of the registrations that began a life of the batch."""

    # ------------------------------------------------------------------------------------------------------- the clock

    def tell(self, body: Body, *, event_id: str = "", time_ms: int | None = None, traceparent: str = "") -> Decision:
        """Decide on `body` now: a second after the last event, or at `time_ms`, where that is later."""
        self.now_ms = max(self.now_ms + STEP_MS, time_ms or 0)
        return self.tell_event(self._event(body, event_id, self.now_ms, traceparent))

    def tell_event(self, event: Event) -> Decision:
        """Decide on an event as it is. After a purge there is no batch; a registration then begins another life."""
        before = self.current
        decision = decide(before, event)
        self.told.append(Told(before, event, decision, history_record(before, event, decision)))
        self.current = None if decision.batch is None else decode_batch(encode_batch(decision.batch))
        assert self.current == decision.batch
        if before is None and self.current is not None:
            self.slots = slots_of(self.current)
            self.lives.append(len(self.told) - 1)
        return decision

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now_ms += seconds * SECOND_MS

    def reach(self, kind: DeadlineKind, phase: str = "") -> Decision:
        """Let time pass until an armed deadline is due, and the deadline be reached."""
        return self.reached(self.armed(kind, phase).due_ms)

    def reached(self, due_ms: int, *, time_ms: int | None = None) -> Decision:
        """Let a deadline event come, at its time or later."""
        return self.tell(DeadlineReached(due_ms=due_ms), time_ms=due_ms if time_ms is None else time_ms)

    def armed(self, kind: DeadlineKind, phase: str = "") -> Deadline:
        """Return the one armed deadline of this kind and phase."""
        [found] = [d for d in self.batch.deadlines if (d.kind, d.phase) == (kind, phase)]
        return found

    def clocks(self) -> list[tuple[str, str]]:
        """Return the kinds and phases of the armed deadlines, the earliest first."""
        return [(deadline.kind.value, deadline.phase) for deadline in self.batch.deadlines]

    # ---------------------------------------------------------------------------------------------------- the requests

    def _asked(self, principal: Principal, request_id: str) -> dict[str, Any]:
        self.requests += 1
        own = request_id or f"control-{self.requests}"
        return {
            "request_id": own,
            "principal": principal,
            "correlation_id": CORRELATION,
            "fingerprint": f"1:{own}",
        }

    def cancel(
        self, *, by: Principal = OWNER, reason: str = "", if_version: int | None = None, request_id: str = ""
    ) -> Decision:
        """Let somebody cancel the batch."""
        asked = self._asked(by, request_id)
        return self.tell(CancelBatch(**asked, reason=reason, if_version=if_version))

    def pause(
        self, *, by: Principal = OWNER, reason: str = "", if_version: int | None = None, request_id: str = ""
    ) -> Decision:
        """Let somebody pause the batch."""
        asked = self._asked(by, request_id)
        return self.tell(PauseBatch(**asked, reason=reason, if_version=if_version))

    def resume(
        self, *, by: Principal = OWNER, reason: str = "", if_version: int | None = None, request_id: str = ""
    ) -> Decision:
        """Let somebody resume the batch."""
        asked = self._asked(by, request_id)
        return self.tell(ResumeBatch(**asked, reason=reason, if_version=if_version))

    def retry(
        self,
        phase: str,
        essays: Literal["all", "failed"] | Sequence[str] = "failed",
        *,
        by: Principal = OWNER,
        reason: str = "",
        if_version: int | None = None,
        request_id: str = "",
    ) -> Decision:
        """Let somebody retry a phase."""
        asked = self._asked(by, request_id)
        chosen = tuple(essays) if essays not in ("all", "failed") else essays
        return self.tell(RetryPhase(**asked, phase=phase, essays=chosen, reason=reason, if_version=if_version))

    # ------------------------------------------------------------------------------------------------------- the peers

    def answer(
        self,
        phase: str,
        failed: Sequence[int] = (),
        *,
        attempt: int | None = None,
        not_retryable: Sequence[int] = (),
        retryable: bool = True,
        by: str = "",
    ) -> Decision:
        """Let the peer answer an attempt of a phase, by default the last commanded, with these slots failed."""
        command = self.commands(phase)[-1 if attempt is None else attempt - 1]
        lost = [self.slots[index] for index in failed]
        kept = [ref.essay_id for ref in command.essays if ref.essay_id not in lost]
        concluded = self.concluded(
            phase,
            kept,
            [ref.essay_id for ref in command.essays if ref.essay_id in lost],
            correlation_id=command.correlation_id,
            attempt=command.attempt,
            by=by or f"{phase}#{command.attempt}",
        )
        return self.tell(_with_words(concluded, retryable, tuple(self.slots[index] for index in not_retryable)))

    def fail(self, phase: str, *, attempt: int | None = None, retryable: bool = True) -> Decision:
        """Let the peer answer an attempt of a phase with the failure of every essay."""
        command = self.commands(phase)[-1 if attempt is None else attempt - 1]
        indexes = [self.slots.index(ref.essay_id) for ref in command.essays]
        return self.answer(phase, indexes, attempt=attempt, retryable=retryable)


def _with_words(concluded: PhaseConcluded, retryable: bool, not_retryable: tuple[str, ...]) -> PhaseConcluded:  # noqa: FBT001
    return msgspec.structs.replace(concluded, retryable=retryable, not_retryable=not_retryable)


def begun(*phases: PhaseDefinition, slots: int = 3, phases_asked: Sequence[str] | None = None) -> ClockedStory:
    """Return a story up to the first commands: every slot became an essay."""
    story = ClockedStory(pipeline_of(*phases), phases=phases_asked, slots=slots)
    story.register()
    story.ready()
    return story


def assert_refused(story: ClockedStory, code: ReasonCode) -> None:
    """Assert that the last request was refused, remembered as such, and changed nothing else."""
    told = story.last
    assert (told.decision.disposition, told.decision.reason.code) == (Disposition.REFUSED, code)
    assert told.decision.effects == ()
    assert told.history.changes == ()
    assert told.history.version == told.history.based_on
    assert told.before is not None
    assert told.before.phases == story.batch.phases
    assert told.before.deadlines == story.batch.deadlines
    assert told.before.status is story.batch.status
    assert told.before.pause == story.batch.pause
    assert story.batch.decided[-1].code is code
