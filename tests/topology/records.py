"""Inbox records of one small batch, for tests of the orchestrator."""

from collections.abc import Sequence

from schemas import ids
from schemas.internal.events import (
    BatchContext,
    Body,
    EssayRef,
    EssaysReady,
    InboxRecord,
    Origin,
    OutcomeStatus,
    PhaseConcluded,
    Principal,
    RegisterBatch,
)
from schemas.internal.formats import INBOX
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from schemas.internal.records import inbox_outgoing

PIPELINE = PipelineDefinition(
    name="default",
    version=1,
    phases=(
        PhaseDefinition(name="spellcheck"),
        PhaseDefinition(name="cj_assessment", after=("spellcheck",), when="enable_cj_assessment"),
    ),
)
CONTEXT = BatchContext(course_code="ENG5", course_code_given="ENG5", language="en", user_id="teacher")


def uuid_of(name: str) -> str:
    """A stable id for a name."""
    return ids.derived_id(f"test\n{name}")


def refs(batch_id: str, version: int, count: int, stage: str = "original") -> tuple[EssayRef, ...]:
    """References of the first slots of a batch that was registered with `version`, with the text of a stage."""
    return tuple(EssayRef(ids.slot_id(batch_id, version, n), f"{stage}-{n}") for n in range(count))


def register(
    batch_id: str, *, essays: int = 3, phases: Sequence[str] = ("spellcheck", "cj_assessment")
) -> RegisterBatch:
    return RegisterBatch(
        request_id=uuid_of(f"request {batch_id}"),
        principal=Principal(),
        correlation_id=uuid_of(f"correlation {batch_id}"),
        fingerprint=f"1:{batch_id}",
        expected_essay_count=essays,
        context=CONTEXT,
        pipeline=PIPELINE,
        requested_phases=tuple(phases),
    )


def ready(batch_id: str, version: int, *, essays: int = 3) -> EssaysReady:
    return EssaysReady(essays=refs(batch_id, version, essays))


def concluded(
    batch_id: str, version: int, phase: str, *, essays: int = 3, status: OutcomeStatus = OutcomeStatus.SUCCEEDED
) -> PhaseConcluded:
    return PhaseConcluded(
        phase=phase, status=status, essays=refs(batch_id, version, essays, phase), failed_essay_ids=()
    )


def record(batch_id: str, body: Body, number: int = 0) -> OutgoingRecord:
    """An inbox record; `number` is its place on the topic it first came from."""
    kind = str(body.__struct_config__.tag)
    origin = Origin(
        event_id=uuid_of(f"{batch_id} {kind} {number}"), event_type=kind, topic=f"in.{kind}", partition=0, offset=number
    )
    return inbox_outgoing(
        InboxRecord(writer=INBOX.version, least_reader=INBOX.least_reader, batch_id=batch_id, origin=origin, body=body)
    )


def life(batch_id: str, version: int, *, essays: int = 3) -> list[OutgoingRecord]:
    """Everything that happens to a batch that goes well: registered (with `version`), ready, spellchecked, judged."""
    bodies: list[Body] = [
        register(batch_id, essays=essays),
        ready(batch_id, version, essays=essays),
        concluded(batch_id, version, "spellcheck", essays=essays),
        concluded(batch_id, version, "cj_assessment", essays=essays),
    ]
    return [record(batch_id, body, number) for number, body in enumerate(bodies)]
