"""How large a batch's stored record is: it is read and written with every event of the batch."""

from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from schemas.internal.events import BatchContext, EssayRef
from state.codec import encode_batch
from tests.unit.state.story import Story

CONTEXT = BatchContext(
    course_code="ENG5",
    course_code_given="ENG5",
    language="en",
    enable_cj_assessment=True,
    class_designation="9A",
    teacher_name="Ms Berg",
    essay_instructions="Argue for or against school uniforms.",
    user_id="teacher-001",
    org_id="school-7",
)
KIB = 1_024


def uuid(*facts: object) -> str:
    return str(uuid5(NAMESPACE_URL, repr(facts)))


def texts_of(story: Story, phase: str) -> tuple[EssayRef, ...]:
    return tuple(EssayRef(slot, uuid(phase, slot)) for slot in story.slots)


def played(lost: int = 0) -> tuple[Story, list[int]]:
    """Return the story of 25 essays on the default pipeline, and the size of its record after each event."""
    story = Story(slots=25, context=CONTEXT)
    story.registration = replace(story.registration, fingerprint="1:" + "ab" * 32, request_id=uuid("request"))
    sizes: list[int] = []
    story.register()
    sizes.append(len(encode_batch(story.batch)))
    story.ready(texts_of(story, "upload"))
    sizes.append(len(encode_batch(story.batch)))
    for phase in ("spellcheck", "cj_assessment"):
        outcome = story.concluded(phase, ok=story.slots[lost:], failed=story.slots[:lost], by=phase)
        story.tell(replace(outcome, essays=texts_of(story, phase)[lost:]))
        sizes.append(len(encode_batch(story.batch)))
    return story, sizes


def test_a_batch_of_25_essays_has_at_most_4_kib_in_every_phase() -> None:
    for lost in (0, 1, 12, 24):
        story, sizes = played(lost)
        assert story.batch.status.terminal
        assert max(sizes) <= 4 * KIB, (lost, sizes)


def test_an_ended_batch_has_at_most_2_kib_where_no_essay_was_lost() -> None:
    _, sizes = played()
    assert sizes[-1] <= 2 * KIB
    assert sizes[-1] < sizes[-2] / 2


def test_a_text_that_a_peer_repeats_takes_no_room() -> None:
    story = Story(slots=25, context=CONTEXT)
    story.register()
    story.ready(texts_of(story, "upload"))
    before = len(encode_batch(story.batch))
    story.tell(replace(story.concluded("spellcheck"), essays=texts_of(story, "upload")))
    assert story.run("spellcheck").texts == {}
    assert len(encode_batch(story.batch)) < before + 200
