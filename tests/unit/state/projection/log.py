"""A log of the three topics, written as the orchestrator and the router write it."""

from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from schemas.internal.dead_letters import Handled, dead_letter, handled_letter
from schemas.internal.enums import BatchStatus, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import BatchContext, Origin
from schemas.internal.formats import HISTORY, STATUS
from schemas.internal.history import NO_VERSION, HistoryRecord, Reason
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.internal.records import history_outgoing, status_outgoing, status_tombstone
from schemas.internal.status import Counts, PhaseView, StatusRecord
from schemas.topics import Topic
from state.projection import ProjectedRecord

T0 = 1_700_000_000_000
PARTITIONS = 2


def batch_id(number: int) -> str:
    return f"{number:08d}-0000-4000-8000-000000000000"


def status(
    number: int, version: int, batch_status: BatchStatus = BatchStatus.PROCESSING_PIPELINES, **given: Any
) -> StatusRecord:
    """A snapshot whose spellcheck runs; the context's `user_id`, `org_id`, `course_code_given` can be given."""
    in_context = {name: given.pop(name) for name in ("user_id", "org_id", "course_code_given") if name in given}
    context = BatchContext(course_code="ENG5", course_code_given="ENG5", language="en", user_id="user")
    record = StatusRecord(
        writer=STATUS.version,
        least_reader=STATUS.least_reader,
        batch_id=batch_id(number),
        version=version,
        status=batch_status,
        correlation_id="00000000-0000-4000-8000-000000000001",
        context=replace(context, **in_context),
        owner_subject="anonymous",
        owner_organisation="",
        pipeline="default",
        pipeline_version=1,
        requested_phases=("spellcheck", "cj_assessment"),
        phases={
            "spellcheck": PhaseView(status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=3, started_ms=T0),
            "cj_assessment": PhaseView(status=PhaseStatus.PENDING_DEPENDENCIES),
        },
        counts=Counts(expected=3, ready=3, succeeded=3),
        registered_ms=T0 + number,
        updated_ms=T0 + version,
    )
    return replace(record, **given)


def history(number: int, offset: int, version: int, based_on: int, **given: Any) -> HistoryRecord:
    """What the inbox record at `offset` made of a batch."""
    record = HistoryRecord(
        writer=HISTORY.version,
        least_reader=HISTORY.least_reader,
        batch_id=batch_id(number),
        partition=0,
        offset=offset,
        time_ms=T0 + offset,
        kind="phase_concluded",
        disposition=Disposition.APPLIED if version != based_on else Disposition.STALE,
        reason=Reason(code=ReasonCode.PHASE_COMPLETED),
        version=version,
        based_on=based_on,
        origin=Origin(event_id=f"event-{offset}", event_type="outcome", topic="outcomes", partition=0, offset=offset),
    )
    return replace(record, **given)


def letter(offset: int, *, code: str = "ORC-UNREADABLE", request_id: str | None = None) -> OutgoingRecord:
    return dead_letter(
        value=b"\x00not JSON",
        key=b"\xff",
        first=RecordPosition("requests", 0, offset, T0 + offset),
        code=code,
        reason="it is not JSON",
        request_id=request_id,
        traceback="line 1",
    )


def handled(
    of: ProjectedRecord, state: str, *, note: str = "", value: bytes | None = b"\x00not JSON"
) -> OutgoingRecord:
    """What an operator did with a dead letter that lies at a place in the log."""
    done = Handled(
        state=state,
        letter_offset=of.offset,
        letter_time_ms=of.time_ms,
        time_ms=of.time_ms + 1_000,
        by="operator-1",
        note=note,
    )
    assert of.key is not None
    return handled_letter(of.key.decode(), value, of.headers, done)


class Log:
    """Gives records their places: partition by batch, offsets with gaps as transactions leave them."""

    def __init__(self) -> None:
        self._next: dict[tuple[Topic, int], int] = defaultdict(int)
        self.records: list[ProjectedRecord] = []

    def write(self, record: StatusRecord | HistoryRecord | OutgoingRecord) -> ProjectedRecord:
        if isinstance(record, StatusRecord):
            record = status_outgoing(record)
        elif isinstance(record, HistoryRecord):
            record = history_outgoing(record)
        assert isinstance(record.topic, Topic)
        partition = sum(record.key) % PARTITIONS
        offset = self._next[record.topic, partition]
        self._next[record.topic, partition] = offset + 2
        log = ProjectedRecord(record.topic, partition, offset, T0 + offset, record.key, record.value, record.headers)
        self.records.append(log)
        return log

    def write_all(self, *records: StatusRecord | HistoryRecord | OutgoingRecord) -> list[ProjectedRecord]:
        return [self.write(record) for record in records]

    def step(self, number: int, version: int, based_on: int = NO_VERSION, **given: Any) -> list[ProjectedRecord]:
        """A decision that changed a batch: its status and its history."""
        return self.write_all(status(number, version, **given), history(number, version, version, based_on))

    def purge(self, number: int, version: int, based_on: int) -> list[ProjectedRecord]:
        return self.write_all(
            status_tombstone(batch_id(number), version), history(number, version, NO_VERSION, based_on)
        )
