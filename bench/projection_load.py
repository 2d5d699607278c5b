"""Records of many batches, as their topics would hold them: of every status, over a month, of many owners."""

from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random
from typing import NamedTuple, TypeVar

from schemas.ids import derived_id
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import BatchContext, Origin
from schemas.internal.formats import HISTORY, STATUS
from schemas.internal.history import NO_VERSION, Change, EffectNote, HistoryRecord, Reason
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import history_outgoing, status_outgoing
from schemas.internal.status import Counts, Deadline, PhaseView, StatusRecord
from schemas.topics import Topic
from state.projection import ProjectedRecord

Item = TypeVar("Item")
SPAN_MS = 30 * 86_400_000
"""Batches are registered over so long."""
PARTITIONS = 4
ESSAYS = 25
RARE = "RARE1"
"""A course of three batches."""
OWNERS, ORGANISATIONS, USERS, COURSES = 2_000, 50, 20_000, 200
_PHASES = ("spellcheck", "cj_assessment")
_ENDS = (BatchStatus.COMPLETED_SUCCESSFULLY, BatchStatus.COMPLETED_WITH_FAILURES, BatchStatus.FAILED_CRITICALLY)


class Load(NamedTuple):
    """How many batches there are, and the time at which the newest was registered."""

    batches: int
    now_ms: int
    name: str = ""
    """Tells the batches of one load from those of another."""

    @property
    def live(self) -> int:
        """Number of the newest batches that have not ended."""
        return max(50, self.batches // 200)

    def batch_id(self, number: int) -> str:
        """Id of a batch, the oldest first."""
        return derived_id(f"bench\n{self.name}\n{number}")

    def registered_ms(self, number: int) -> int:
        """When a batch was registered."""
        return self.now_ms - SPAN_MS + SPAN_MS * number // self.batches

    def snapshots(self) -> Iterator[StatusRecord]:
        """Yield the newest snapshot of each batch."""
        for number in range(self.batches):
            live = number >= self.batches - self.live
            decisions = 2 if live else 5
            yield self.snapshot(number, decisions)

    def snapshot(self, number: int, decisions: int) -> StatusRecord:
        """Return a batch's snapshot after so many decisions: registered, two phases commanded, each concluded."""
        random, registered_ms = Random(number), self.registered_ms(number)  # noqa: S311 - no secret
        ended = decisions == len(_STEPS)
        end, lost = (
            random.choices(_ENDS, (90, 7, 3))[0],
            random.randrange(3),
        )  # drawn at each decision, or others change
        status = end if ended else _STEPS[decisions - 1]
        at_ms = registered_ms + 60_000 * (decisions - 1)
        failed = lost if end is not BatchStatus.COMPLETED_SUCCESSFULLY else 0
        course = RARE if number % max(1, self.batches // 3) == 1 else f"C{random.randrange(COURSES):03}"
        owner = min(int(random.paretovariate(0.6)), OWNERS)
        running = decisions in (2, 3, 4)
        return StatusRecord(
            writer=STATUS.version,
            least_reader=STATUS.least_reader,
            batch_id=self.batch_id(number),
            version=number * 8 + decisions,
            status=status,
            correlation_id=derived_id(f"correlation\n{number}"),
            context=BatchContext(
                course_code="ENG5",
                course_code_given=course,
                language="en",
                enable_cj_assessment=True,
                class_designation="9A",
                teacher_name="Ms Berg",
                essay_instructions="Argue for or against school uniforms, with reasons and examples." * 3,
                user_id=f"user-{random.randrange(USERS)}",
                org_id=f"school-{owner % ORGANISATIONS}",
            ),
            owner_subject=f"teacher-{owner}",
            owner_organisation=f"school-{owner % ORGANISATIONS}",
            pipeline="default" if number % 50 else "other",
            pipeline_version=1,
            requested_phases=_PHASES,
            phases=_phases(decisions, registered_ms, failed, random),
            counts=Counts(expected=ESSAYS, ready=ESSAYS, succeeded=ESSAYS - failed, failed=failed),
            stalled=running and random.random() < 0.05,
            registered_ms=registered_ms,
            updated_ms=at_ms,
            ended_ms=at_ms if ended else None,
            deadlines=_deadlines(decisions, at_ms) if running else (),
        )

    def history(self, number: int, step: int, offset: int) -> HistoryRecord:
        """Return the history record of a batch's decision, from 1 on."""
        version = number * 8 + step
        event_id = derived_id(f"event\n{version}")
        effects = [EffectNote("command", derived_id(f"effect\n{version}"), "huleedu.commands", _PHASES[0], 1, ESSAYS)]
        return HistoryRecord(
            writer=HISTORY.version,
            least_reader=HISTORY.least_reader,
            batch_id=self.batch_id(number),
            partition=number % PARTITIONS,
            offset=offset,
            time_ms=self.registered_ms(number) + 60_000 * (step - 1),
            kind="phase_concluded",
            disposition=Disposition.APPLIED,
            reason=Reason(code=ReasonCode.PHASE_COMPLETED, phase=_PHASES[0], attempt=1, essays=ESSAYS),
            version=version,
            based_on=version - 1 if step > 1 else NO_VERSION,
            origin=Origin(
                event_id=event_id,
                event_type=Topic.OUTCOME.value,
                topic=Topic.OUTCOME.value,
                partition=number % PARTITIONS,
                offset=offset,
                source="essay-lifecycle-service",
                produced_ms=self.registered_ms(number),
                correlation_id=derived_id(f"correlation\n{number}"),
            ),
            request_id=derived_id(f"request\n{number}") if step == 1 else None,
            changes=(Change(phase=_PHASES[0], before="dispatch_initiated", after="completed_successfully"),),
            succeeded=ESSAYS,
            effects=tuple(effects),
        )


_STEPS = (
    BatchStatus.AWAITING_CONTENT_VALIDATION,
    BatchStatus.PROCESSING_PIPELINES,
    BatchStatus.PROCESSING_PIPELINES,
    BatchStatus.PROCESSING_PIPELINES,
    BatchStatus.COMPLETED_SUCCESSFULLY,
)


def _phases(decisions: int, registered_ms: int, failed: int, random: Random) -> dict[str, PhaseView]:
    """Return the phases: the first runs after the second decision, the next from the fourth to the fifth."""
    first, then = random.randrange(10_000, 50_000), random.randrange(5_000, 59_000)
    begin, second = registered_ms + 60_000, registered_ms + 180_000
    waits = PhaseView(status=PhaseStatus.PENDING_DEPENDENCIES)
    runs = PhaseView(status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=ESSAYS, started_ms=begin)
    done = PhaseView(
        status=PhaseStatus.COMPLETED_SUCCESSFULLY if not failed else PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
        attempt=1,
        commanded=ESSAYS,
        succeeded=ESSAYS - failed,
        failed=failed,
        started_ms=begin,
        completed_ms=begin + first,
    )
    later = PhaseView(status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=ESSAYS, started_ms=second)
    end = PhaseView(
        status=PhaseStatus.COMPLETED_SUCCESSFULLY,
        attempt=1,
        commanded=ESSAYS,
        succeeded=ESSAYS,
        started_ms=second,
        completed_ms=second + then,
    )
    pairs = ((waits, waits), (runs, waits), (done, waits), (done, later), (done, end))
    return dict(zip(_PHASES, pairs[decisions - 1], strict=True))


def _deadlines(decisions: int, at_ms: int) -> tuple[Deadline, ...]:
    phase = _PHASES[decisions > 3]
    return (
        Deadline(at_ms + 1_800_000, DeadlineKind.STALLED, phase, 1),
        Deadline(at_ms + 86_400_000, DeadlineKind.PHASE, phase, 1),
    )


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items, so many at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


class Places:
    """Gives records their places on the topics."""

    def __init__(self) -> None:
        self._next: dict[tuple[Topic, int], int] = {}

    def put(self, record: StatusRecord | HistoryRecord, partition: int, time_ms: int) -> ProjectedRecord:
        """Return the record as it lies on its topic."""
        outgoing: OutgoingRecord
        outgoing = status_outgoing(record) if isinstance(record, StatusRecord) else history_outgoing(record)
        assert isinstance(outgoing.topic, Topic)
        place = (outgoing.topic, partition)
        offset = self._next.get(place, 0)
        self._next[place] = offset + 1
        return ProjectedRecord(
            outgoing.topic, partition, offset, time_ms, outgoing.key, outgoing.value, outgoing.headers
        )
