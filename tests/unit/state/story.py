"""The story of one batch, told event by event, as the tests of `decide` write it down.

Between two events the batch goes through its stored bytes, so that every test also holds the codec.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.ids import derived_id
from schemas.internal.effects import CommandPhase, CommandStudentMatching, Effect, PipelineCompleted
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.events import (
    BatchContext,
    Body,
    ContentProvisioned,
    EssayRef,
    EssaysReady,
    Event,
    FileFailure,
    Origin,
    OutcomeStatus,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    RetryPhase,
    ValidationFailed,
)
from schemas.internal.history import HistoryRecord
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.status import StatusRecord
from state.batch import Batch, PhaseRun
from state.codec import decode_batch, encode_batch
from state.decision.attempts import commanded, next_essays, running_attempt, slots_of
from state.decision.attempts import essay_ids as ready_essay_ids
from state.decision.decide import decide
from state.decision.records import history_record, status_record
from state.decision.result import Decision

BATCH_ID = "5bd3a9b2-6a0e-5d52-9a3c-2b8f4b3f7c10"
CORRELATION = "0c2f7d9e-1f43-4b51-8a6e-5e2b7d1c9f00"
START_MS = 1_750_000_000_000
STEP_MS = 1_000
FIRST_OFFSET = 100
OWNER = Principal(subject="teacher", organisation="school", scopes=("batches",))
SPELLCHECK = PhaseDefinition(name="spellcheck")
CJ = PhaseDefinition(name="cj_assessment", after=("spellcheck",), when="enable_cj_assessment")
DEFAULT = PipelineDefinition(name="default", version=1, phases=(SPELLCHECK, CJ))
SEED_CONTEXT = BatchContext(course_code="SV1", course_code_given="SV1", language="sv", user_id="teacher")
CLASS_CONTEXT = replace(SEED_CONTEXT, class_id="class-7")


def pipeline(**after: Sequence[str]) -> PipelineDefinition:
    """Return a pipeline of phases by name, each with what it comes after, in this order."""
    phases = tuple(PhaseDefinition(name=name, after=tuple(before)) for name, before in after.items())
    return PipelineDefinition(name="test", version=1, phases=phases)


def refs(essay_ids: Iterable[str], by: str = "upload") -> tuple[EssayRef, ...]:
    """Return references to the texts that `by` left of these essays."""
    return tuple(EssayRef(essay_id, f"{by}:{essay_id}") for essay_id in essay_ids)


def failures(count: int) -> tuple[FileFailure, ...]:
    """Return files that failed validation."""
    return tuple(FileFailure("TOO_SHORT", "too few words", f"essay-{index}.txt") for index in range(count))


class Told(NamedTuple):
    """One event of the story, and its decision."""

    before: Batch | None
    event: Event
    decision: Decision
    history: HistoryRecord


class Story:
    """One batch and all its events."""

    def __init__(
        self,
        definition: PipelineDefinition = DEFAULT,
        *,
        phases: Sequence[str] | None = None,
        slots: int = 3,
        context: BatchContext = SEED_CONTEXT,
        batch_id: str = BATCH_ID,
    ) -> None:
        self.batch_id = batch_id
        self.current: Batch | None = None
        self.told: list[Told] = []
        self.offset = FIRST_OFFSET
        self.slots: tuple[str, ...] = ()
        self.registration = RegisterBatch(
            request_id="request-1",
            principal=OWNER,
            correlation_id=CORRELATION,
            fingerprint="1:aa",
            expected_essay_count=slots,
            context=context,
            pipeline=definition,
            requested_phases=tuple(phases) if phases is not None else tuple(p.name for p in definition.phases),
        )

    # ------------------------------------------------------------------------------------------------- what happens

    def tell(self, body: Body, *, event_id: str = "", time_ms: int | None = None, traceparent: str = "") -> Decision:
        """Decide on `body`, and keep the decision."""
        event = self._event(body, event_id, time_ms, traceparent)
        before = self.current
        decision = decide(before, event)
        self.told.append(Told(before, event, decision, history_record(before, event, decision)))
        if decision.batch is not None:
            self.current = decode_batch(encode_batch(decision.batch))
            assert self.current == decision.batch
        return decision

    def _event(self, body: Body, event_id: str, time_ms: int | None, traceparent: str) -> Event:
        event = Event(
            batch_id=self.batch_id,
            origin=Origin(
                event_id=event_id or derived_id(f"test {self.offset}"),
                event_type="test",
                topic="test",
                partition=0,
                offset=self.offset,
                traceparent=traceparent or None,
            ),
            body=body,
            version=self.offset,
            time_ms=START_MS + (self.offset - FIRST_OFFSET) * STEP_MS if time_ms is None else time_ms,
            partition=0,
            offset=self.offset,
        )
        self.offset += 1
        return event

    def register(self) -> Decision:
        """Register the batch; its slots are known from here on."""
        decision = self.tell(self.registration)
        if not self.slots:
            self.slots = slots_of(self.batch)
        return decision

    def ready(self, essays: Sequence[EssayRef] | None = None, failed: Sequence[FileFailure] = ()) -> Decision:
        """Let the essays be ready: all slots where none are named."""
        essays = refs(self.slots) if essays is None else essays
        return self.tell(EssaysReady(essays=tuple(essays), failures=tuple(failed)))

    def provisioned(self, essays: Sequence[EssayRef] | None = None) -> Decision:
        """Let the content be provisioned: all slots where none are named."""
        return self.tell(ContentProvisioned(essays=refs(self.slots) if essays is None else tuple(essays)))

    def invalid(self, *, critical: bool, failed: int = 1, total: int = 0) -> Decision:
        """Let files have failed validation."""
        return self.tell(ValidationFailed(critical=critical, failures=failures(failed), total=total))

    def outcome(
        self,
        phase: str,
        ok: Sequence[str] | None = None,
        failed: Sequence[str] = (),
        *,
        status: OutcomeStatus | None = None,
        correlation_id: str | None = None,
        attempt: int | None = None,
        by: str = "",
    ) -> Decision:
        """Let a peer report a phase: all its essays succeeded but the failed ones, where none are named."""
        return self.tell(
            self.concluded(phase, ok, failed, status=status, correlation_id=correlation_id, attempt=attempt, by=by)
        )

    def concluded(
        self,
        phase: str,
        ok: Sequence[str] | None = None,
        failed: Sequence[str] = (),
        *,
        status: OutcomeStatus | None = None,
        correlation_id: str | None = None,
        attempt: int | None = None,
        by: str = "",
    ) -> PhaseConcluded:
        """Return a peer's report of a phase without letting it happen."""
        if ok is None:
            ok = [essay_id for essay_id in self.essays_of(phase) if essay_id not in failed]
        if status is None:
            full = OutcomeStatus.SUCCEEDED_WITH_FAILURES if failed else OutcomeStatus.SUCCEEDED
            status = full if ok else OutcomeStatus.FAILED
        return PhaseConcluded(
            phase=phase,
            status=status,
            essays=refs(ok, by or phase),
            failed_essay_ids=tuple(failed),
            correlation_id=correlation_id,
            attempt=attempt,
        )

    def again(self, phase: str, *, only: Sequence[str] = ()) -> CommandPhase:
        """Let the owner retry a phase, on all its essays where none are named; return the command."""
        decision = self.tell(
            RetryPhase(
                request_id=f"retry-{self.offset}",
                principal=OWNER,
                correlation_id=CORRELATION,
                fingerprint="1:bb",
                phase=phase,
                essays=tuple(only) or "all",
            )
        )
        [command] = decision.effects
        assert isinstance(command, CommandPhase)
        return command

    # ------------------------------------------------------------------------------------------------ what is asked

    @property
    def batch(self) -> Batch:
        """The current state of the batch."""
        assert self.current is not None
        return self.current

    @property
    def status(self) -> StatusRecord:
        """The batch as readers see it."""
        return status_record(self.batch)

    @property
    def last(self) -> Told:
        """The last event."""
        return self.told[-1]

    @property
    def effects(self) -> list[Effect]:
        """Everything published so far."""
        return [effect for told in self.told for effect in told.decision.effects]

    @property
    def matchings(self) -> list[CommandStudentMatching]:
        """The student matchings commanded so far."""
        return [effect for effect in self.effects if isinstance(effect, CommandStudentMatching)]

    @property
    def completions(self) -> list[PipelineCompleted]:
        """The completed events published so far."""
        return [effect for effect in self.effects if isinstance(effect, PipelineCompleted)]

    def commands(self, phase: str) -> list[CommandPhase]:
        """The commands of a phase so far."""
        return [effect for effect in self.effects if isinstance(effect, CommandPhase) and effect.phase == phase]

    def essays_of(self, phase: str) -> list[str]:
        """The essays of a phase's running attempt, or else of the next one."""
        running = running_attempt(self.run(phase))
        essays = next_essays(self.batch, phase) if running is None else commanded(self.batch, running)
        known = ready_essay_ids(self.batch)
        return [known[essay] for essay in essays]

    def lost(self, phase: str) -> list[tuple[str, str]]:
        """The essays that a phase lost, and why."""
        return [(lost.essay_id, lost.reason.value) for lost in self.status.failed_essays if lost.phase == phase]

    def run(self, phase: str) -> PhaseRun:
        """The current state of a phase."""
        return self.batch.phases[phase]


def registered(
    definition: PipelineDefinition = DEFAULT,
    *,
    phases: Sequence[str] | None = None,
    slots: int = 3,
    context: BatchContext = SEED_CONTEXT,
) -> Story:
    """Return a story up to the registration."""
    story = Story(definition, phases=phases, slots=slots, context=context)
    story.register()
    return story


def started(definition: PipelineDefinition = DEFAULT, *, phases: Sequence[str] | None = None, slots: int = 3) -> Story:
    """Return a story up to the first commands, all essays ready."""
    story = registered(definition, phases=phases, slots=slots)
    story.ready()
    return story


def ended(*, slots: int = 3) -> Story:
    """Return the story of a batch that was spellchecked with full success."""
    story = started(phases=["spellcheck"], slots=slots)
    story.outcome("spellcheck")
    return story


def assert_ignored(story: Story, disposition: Disposition, code: ReasonCode) -> None:
    """Assert that the last event was visibly without effect: nothing changed, nothing published, and why."""
    told = story.last
    assert told.decision.disposition is disposition
    assert told.decision.reason.code is code
    assert told.decision.effects == ()
    assert told.decision.batch is told.before
    assert told.history.changes == ()
    assert told.history.version == told.history.based_on


def essay_ids(command: CommandPhase | CommandStudentMatching) -> list[str]:
    """Return the essays of a command."""
    return [ref.essay_id for ref in command.essays]


def texts(command: CommandPhase | CommandStudentMatching) -> list[str]:
    """Return the texts of a command."""
    return [ref.text_storage_id for ref in command.essays]
