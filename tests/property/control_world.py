"""Batches under control, to draw: pipelines of up to five phases with joins, retries and holds, and what happens.

A happening is drawn as numbers, and made an event against the batch as it is when its turn comes: so most of them fit,
and some come too early, too late, twice or from before a pause.
"""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from schemas.internal.effects import CommandPhase
from schemas.internal.events import EssayRef, OutcomeStatus, PhaseConcluded, ValidationFailed
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from tests.unit.state.clocked import ADMIN, SECOND_MS, STRANGER, ClockedStory
from tests.unit.state.story import CLASS_CONTEXT, OWNER, SEED_CONTEXT, refs

NAMES = ("p0", "p1", "p2", "p3", "p4")
SLOTS = 4


class Plan(NamedTuple):
    """A batch to register."""

    definition: PipelineDefinition
    requested: tuple[str, ...]
    slots: int
    in_class: bool

    def story(self) -> ClockedStory:
        """Return the story of this batch, before its registration."""
        context = CLASS_CONTEXT if self.in_class else SEED_CONTEXT
        return ClockedStory(self.definition, phases=self.requested, slots=self.slots, context=context)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Draw a pipeline of any shape, any of its phases requested, and the size of the batch."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    phases = [draw(_phases(name, names[:index])) for index, name in enumerate(names)]
    definition = PipelineDefinition(
        name="drawn",
        version=1,
        phases=tuple(draw(st.permutations(phases))),
        provisioning_deadline_s=draw(st.sampled_from((5, 500))),
        purge_after_s=100_000,
    )
    requested = draw(st.one_of(st.just(names), st.lists(st.sampled_from(names), unique=True, min_size=1).map(tuple)))
    return Plan(definition, requested, draw(st.integers(1, SLOTS)), draw(st.sampled_from((False, False, True))))


@st.composite
def _phases(draw: st.DrawFn, name: str, earlier: tuple[str, ...]) -> PhaseDefinition:
    echoes = draw(st.booleans())
    stalled_after_s = draw(st.integers(1, 30))
    return PhaseDefinition(
        name=name,
        after=tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3))) if earlier else (),
        join=draw(st.sampled_from(("all", "all", "any"))),
        on_partial_failure=draw(st.sampled_from(("continue", "continue", "fail"))),
        on_failure=draw(st.sampled_from(("fail", "hold"))),
        hold_s=draw(st.integers(1, 200)),
        stalled_after_s=stalled_after_s,
        deadline_s=stalled_after_s + draw(st.integers(0, 60)),
        echoes_attempt=echoes,
        max_attempts=draw(st.integers(1, 4)) if echoes else 1,
        retry_backoff_s=draw(st.integers(1, 20)),
    )


class Happening(NamedTuple):
    """Something that happens, as numbers."""

    kind: str
    which: int
    essays: frozenset[int]
    mood: int
    seconds: int

    def happen(self, story: ClockedStory) -> None:
        """Let it happen to the batch as it is now."""
        story.wait(self.seconds)
        getattr(self, f"_{self.kind}")(story)

    def _slots(self, story: ClockedStory) -> list[str]:
        return [story.slots[index] for index in sorted(self.essays) if index < len(story.slots)]

    def _phase(self, story: ClockedStory) -> str:
        requested = story.registration.requested_phases
        return "ghost" if self.which > 2 * len(NAMES) else requested[self.which % len(requested)]

    # ------------------------------------------------------------------------------------------------- until it starts

    def _register(self, story: ClockedStory) -> None:
        story.register()

    def _ready(self, story: ClockedStory) -> None:
        story.ready(refs(self._slots(story)) if self.mood == 0 else None)

    def _provisioned(self, story: ClockedStory) -> None:
        story.provisioned()

    def _invalid(self, story: ClockedStory) -> None:
        story.tell(ValidationFailed(critical=self.mood == 0, total=self.which))

    # ------------------------------------------------------------------------------------------------------- the peers

    def _outcome(self, story: ClockedStory) -> None:
        commands = [effect for effect in story.effects if isinstance(effect, CommandPhase)]
        if not commands:
            return
        recent = commands[-3:]
        command = recent[self.which % len(recent)] if self.mood else commands[self.which % len(commands)]
        story.tell(self._answer(command, story))

    def _late(self, story: ClockedStory) -> None:
        self._replaced(mood=0)._outcome(story)

    def _replaced(self, **changes: Any) -> "Happening":
        return self._replace(**changes)

    def _answer(self, command: CommandPhase, story: ClockedStory) -> PhaseConcluded:
        essays = [ref.essay_id for ref in command.essays]
        failed = [essay for essay in essays if essay in self._slots(story)]
        silent = self.mood == 1
        kept = [] if silent else [essay for essay in essays if essay not in failed]
        return PhaseConcluded(
            phase=command.phase,
            status=OutcomeStatus.SUCCEEDED if kept else OutcomeStatus.FAILED,
            essays=tuple(EssayRef(essay, text_of(command, essay)) for essay in kept),
            failed_essay_ids=() if silent else tuple(failed),
            correlation_id=command.correlation_id,
            attempt=command.attempt,
            retryable=self.mood != 2,
            not_retryable=tuple(failed[:1]) if self.mood == 3 else (),
        )

    # ---------------------------------------------------------------------------------------------------- the requests

    def _cancel(self, story: ClockedStory) -> None:
        if self.mood < 3:  # Most of what is worth drawing comes before the end.
            story.cancel(by=self._who())

    def _pause(self, story: ClockedStory) -> None:
        story.pause(by=self._who(), if_version=self._version(story))

    def _resume(self, story: ClockedStory) -> None:
        story.resume(by=self._who(), if_version=self._version(story))

    def _retry(self, story: ClockedStory) -> None:
        essays = ("failed", "all", "failed", self._slots(story))[self.mood % 4]
        story.retry(self._phase(story), essays, by=self._who())

    def _who(self) -> Any:
        return {9: ADMIN, 10: STRANGER}.get(self.which, OWNER)

    def _version(self, story: ClockedStory) -> int | None:
        if self.mood != 4 or story.current is None:
            return None
        return story.current.version - self.which % 2

    # ------------------------------------------------------------------------------------------------------- the clock

    def _deadline(self, story: ClockedStory) -> None:
        """Reach the next deadlines, in time or late; one from before; or one that is not due yet."""
        if story.current is not None and story.current.status.terminal and self.mood > 1:
            return  # Most batches are not purged at once, so that what comes late finds them.
        armed = () if story.current is None else story.current.deadlines
        due = armed[self.which % len(armed)].due_ms if armed else story.now_ms
        late_s = self.seconds if self.mood else 0
        story.reached(due, time_ms=story.now_ms if self.mood == 4 else due + late_s * SECOND_MS)

    def _past(self, story: ClockedStory) -> None:
        story.reached(story.now_ms - self.seconds * SECOND_MS, time_ms=0)

    def _again(self, story: ClockedStory) -> None:
        if story.told:
            told = story.told[-1 - self.which % len(story.told)]
            story.tell(told.event.body, event_id=told.event.origin.event_id)


def text_of(command: CommandPhase, essay: str) -> str:
    """Return the text that the peer gives an essay: it says which attempt gave it."""
    return f"{command.phase}#{command.attempt}:{essay}"


KINDS = (
    *["outcome"] * 6, "late", "late", *["deadline"] * 4, "past", "retry", "retry", "retry", "pause", "resume", "resume",
    "cancel", "again", "again", "ready", "provisioned", "invalid",
)  # fmt: skip


def happenings() -> st.SearchStrategy[list[Happening]]:
    """Draw what happens after the registration, in any order."""
    one = st.builds(
        Happening,
        st.sampled_from(KINDS),
        st.integers(0, 11),
        st.frozensets(st.integers(0, SLOTS - 1), max_size=SLOTS),
        st.integers(0, 7),
        st.sampled_from((0, 0, 1, 5, 40)),
    )
    return st.lists(one, min_size=10, max_size=40)


starts = st.sampled_from((True, True, True, False))
"""Whether a batch is started before anything else happens."""


def begin(plan: Plan, *, started: bool) -> ClockedStory:
    """Return a story up to the registration, or up to the first commands."""
    story = plan.story()
    story.register()
    if started:
        story.ready()
    return story
