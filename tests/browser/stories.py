"""The batches of the browser tests: lives that the real rules decide, at times before one frozen moment."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random

from msgspec.structs import replace

from schemas.ids import derived_id
from schemas.internal.enums import DeadlineKind
from schemas.internal.events import BatchContext, Event, Principal
from schemas.internal.pipeline import PipelineDefinition
from schemas.topics import TopicTable
from state.pipelines.loader import parse_pipelines
from tests.unit.state.clocked import ClockedStory

NOW_MS = int(datetime(2026, 11, 24, 14, 3, 22, 120_000, tzinfo=UTC).timestamp() * 1_000)
"""When the browser tests take place."""
MINUTE_S = 60
HOUR_S = 3_600
OPERATOR = Principal(subject="ops.nilsson", organisation="northgate", scopes=("batches:write", "batches:any-owner"))
_PEOPLE = (
    ("anna.lindqvist", "northgate", "9A", "SV1"),
    ("j.okafor", "northgate", "8C", "ENG5"),
    ("m.santos", "vasa", "Year 2", "ENG6"),
    ("k.berg", "vasa", "9B", "SV2"),
    ("l.haddad", "riverside", "1C", "ENG5"),
)
PIPELINES_FILE = """
default = "default"

[[pipelines]]
name = "default"
version = 1

[[pipelines.phases]]
name = "spellcheck"

[[pipelines.phases]]
name = "cj_assessment"
after = ["spellcheck"]
when = "enable_cj_assessment"

[[pipelines]]
name = "feedback"
version = 3

[[pipelines.phases]]
name = "spellcheck"

[[pipelines.phases]]
name = "cj_assessment"
after = ["spellcheck"]

[[pipelines.phases]]
name = "nlp"
after = ["spellcheck"]
max_attempts = 3
retry_backoff_s = 600
echoes_attempt = true
payload = "generic"
on_failure = "hold"
hold_s = 28800

[[pipelines.phases]]
name = "ai_feedback"
after = ["cj_assessment", "nlp"]
echoes_attempt = true
payload = "generic"
on_failure = "hold"
hold_s = 28800
"""
PIPELINES = parse_pipelines(PIPELINES_FILE, "pipelines.toml", TopicTable())
DEFAULT, FEEDBACK = PIPELINES.by_name["default"], PIPELINES.by_name["feedback"]
FEEDBACK_BEFORE = replace(
    FEEDBACK,
    version=2,
    phases=tuple(replace(phase, max_attempts=1, on_failure="fail") for phase in FEEDBACK.phases),
)
"""An older version, which some live batches still run."""


class BrowserStory(ClockedStory):
    """A batch of the browser tests, by the number of its place in the list."""

    def __init__(self, number: int, definition: PipelineDefinition = DEFAULT, *, of_class: bool = False) -> None:
        self.life = ""
        """Name of the function that told it."""
        self.chance = Random(number)
        subject, organisation, group, course = _PEOPLE[number % len(_PEOPLE)]
        context = BatchContext(
            course_code=course,
            course_code_given=course,
            language="sv" if course.startswith("SV") else "en",
            enable_cj_assessment=True,
            class_designation=group,
            teacher_name=subject,
            user_id=subject,
            org_id=organisation,
            class_id=f"class-{group}" if of_class else None,
        )
        super().__init__(definition, slots=self.chance.randint(18, 31), context=context)
        self.batch_id = derived_id(f"browser {number}")
        self.offset = 18_000 + 50 * number
        self.owner = Principal(subject=subject, organisation=organisation, scopes=("batches:read", "batches:write"))
        self.registration = replace(
            self.registration,
            request_id=derived_id(f"browser request {number}"),
            correlation_id=derived_id(f"browser correlation {number}"),
            principal=self.owner,
        )

    @property
    def events(self) -> list[Event]:
        """All events so far."""
        return [told.event for told in self.told]

    def begin(self, seconds_ago: int, *, uploading_s: int = 90) -> "BrowserStory":
        """Let the batch be registered that long ago, and its essays be ready after the upload."""
        self.now_ms = NOW_MS - seconds_ago * 1_000 - self.chance.randint(0, 30_000)
        self.register()
        if uploading_s:
            self.wait(uploading_s + self.chance.randint(0, 60))
            self.ready()
        return self

    def passed(self, phase: str, after_s: int, *, failed: int = 0) -> "BrowserStory":
        """Let the phase pass after so many seconds, give or take a fifth, with so many essays lost."""
        self.wait(round(after_s * self.chance.uniform(0.8, 1.2)))
        lost = self.chance.sample(range(len(self.commands(phase)[-1].essays)), failed)
        known = [self.slots.index(self.commands(phase)[-1].essays[index].essay_id) for index in lost]
        self.answer(phase, known)
        return self


def stories() -> Iterator[BrowserStory]:
    """Yield the batches; those that need somebody come first."""
    number = 0
    for life, times in _LIVES:
        for _ in range(times):
            number += 1
            story = life(number)
            story.life = life.__name__.strip("_")
            yield story


def _stalled(number: int) -> BrowserStory:
    story = BrowserStory(number).begin(44 * MINUTE_S).passed("spellcheck", 60, failed=1)
    story.ready()
    story.reach(DeadlineKind.STALLED, "cj_assessment")
    return story


def _held(number: int) -> BrowserStory:
    story = BrowserStory(number, FEEDBACK).begin(3 * HOUR_S).passed("spellcheck", 70).passed("cj_assessment", 240)
    for _ in range(2):
        story.wait(120)
        story.fail("nlp")
        story.reach(DeadlineKind.RETRY_BACKOFF, "nlp")
    story.wait(90)
    story.fail("nlp")
    return story


def _paused(number: int) -> BrowserStory:
    story = BrowserStory(number, FEEDBACK).begin(55 * MINUTE_S).passed("spellcheck", 65)
    story.wait(300)
    story.pause(by=story.owner, reason="the language server is being upgraded")
    return story


def _backing_off(number: int) -> BrowserStory:
    story = BrowserStory(number, FEEDBACK).begin(12 * MINUTE_S).passed("spellcheck", 60).passed("cj_assessment", 150)
    story.now_ms = NOW_MS - 40_000
    story.fail("nlp")
    return story


def _awaiting_essays(number: int) -> BrowserStory:
    return BrowserStory(number).begin(2 * HOUR_S + number * 611, uploading_s=0)


def _awaiting_students(number: int) -> BrowserStory:
    story = BrowserStory(number, of_class=True).begin(25 * MINUTE_S, uploading_s=0)
    story.wait(240)
    story.provisioned()
    return story


def _in_first_phase(number: int) -> BrowserStory:
    return BrowserStory(number).begin(150 + 17 * number % 90, uploading_s=40)


def _in_second_phase(number: int) -> BrowserStory:
    return BrowserStory(number).begin(330 + 31 * number % 120).passed("spellcheck", 60, failed=number % 3 == 0)


def _in_parallel(number: int) -> BrowserStory:
    definition = FEEDBACK_BEFORE if number % 4 == 0 else FEEDBACK
    return BrowserStory(number, definition).begin(350 + 23 * number % 100).passed("spellcheck", 50)


def _in_last_phase(number: int) -> BrowserStory:
    story = BrowserStory(number, FEEDBACK).begin(15 * MINUTE_S).passed("spellcheck", 60)
    return story.passed("nlp", 100).passed("cj_assessment", 120, failed=2)


def _completed(number: int) -> BrowserStory:
    story = BrowserStory(number).begin((8 + number % 50) * MINUTE_S + number % 7 * HOUR_S)
    return story.passed("spellcheck", 55).passed("cj_assessment", 180)


def _feedback_completed(number: int) -> BrowserStory:
    story = BrowserStory(number, FEEDBACK).begin((20 + number % 35) * MINUTE_S).passed("spellcheck", 55)
    return story.passed("nlp", 90).passed("cj_assessment", 140).passed("ai_feedback", 240)


def _partly(number: int) -> BrowserStory:
    story = BrowserStory(number).begin((30 + number % 20) * MINUTE_S).passed("spellcheck", 55, failed=2)
    story.passed("cj_assessment", 170, failed=1)
    story.answer("cj_assessment")  # a peer that says it again, otherwise
    return story


def _failed(number: int) -> BrowserStory:
    story = BrowserStory(number).begin((40 + number % 60) * MINUTE_S)
    story.wait(70)
    story.fail("spellcheck")
    story.retry("cj_assessment", by=story.owner, reason="try it anyway")
    return story


def _never_provisioned(number: int) -> BrowserStory:
    story = BrowserStory(number).begin(7 * 24 * HOUR_S + 40 * MINUTE_S, uploading_s=0)
    story.reach(DeadlineKind.NEVER_PROVISIONED)
    return story


def _missed_deadline(number: int) -> BrowserStory:
    story = BrowserStory(number).begin(26 * HOUR_S).passed("spellcheck", 60)
    story.reach(DeadlineKind.STALLED, "cj_assessment")
    story.reach(DeadlineKind.PHASE, "cj_assessment")
    return story


def _cancelled(number: int) -> BrowserStory:
    story = BrowserStory(number, FEEDBACK).begin(70 * MINUTE_S).passed("spellcheck", 60)
    story.wait(200)
    story.cancel(by=OPERATOR, reason="registered twice")
    story.answer("cj_assessment")
    return story


def _retried(number: int) -> BrowserStory:
    """A held phase that somebody retried, and that passed then."""
    story = _held(number)
    story.wait(900)
    story.retry("nlp", "all", by=OPERATOR, reason="model server restarted")
    return story.passed("nlp", 100).passed("ai_feedback", 260)


_LIVES: Sequence[tuple[Callable[[int], BrowserStory], int]] = (
    (_stalled, 3),
    (_held, 2),
    (_paused, 2),
    (_backing_off, 2),
    (_awaiting_essays, 4),
    (_awaiting_students, 2),
    (_in_first_phase, 6),
    (_in_second_phase, 6),
    (_in_parallel, 4),
    (_in_last_phase, 2),
    (_completed, 12),
    (_feedback_completed, 5),
    (_partly, 5),
    (_failed, 3),
    (_never_provisioned, 1),
    (_missed_deadline, 1),
    (_cancelled, 2),
    (_retried, 1),
)
