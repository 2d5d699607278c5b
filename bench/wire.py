"""Creates the bytes of a batch's events cheaply, from the simulated peers' events as templates.

The load generator shares the host with what it measures, so it fills bytes in rather than encode documents.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from peers.batch import PhaseRun, open_batch
from peers.chance import Chance
from peers.envelope import encode
from peers.options import PeerOptions
from peers.outcomes import outcome_event, run_phase
from peers.provisioning import Event, provision, ready_event
from schemas.ids import derived_id
from schemas.internal.events import Principal
from schemas.public.requests import RequestKind, request_record
from schemas.topics import Topic

Shape = Literal["seed", "head"]
PHASES = ("spellcheck", "cj_assessment")
EVENTS_PER_BATCH = 4
"""Events of one batch: registration, ready, and the outcome of each phase."""

_BATCH = "aaaaaaaa-0000-4000-8000-000000000001"
_EVENT = "aaaaaaaa-0000-4000-8000-000000000002"
_CORRELATION = "aaaaaaaa-0000-4000-8000-000000000003"
_REQUEST = "aaaaaaaa-0000-4000-8000-000000000004"
_MOMENT = 1_764_000_000.0


@dataclass(frozen=True, slots=True)
class BatchIds:
    """The ids of one batch of the load."""

    batch_id: str
    correlation_id: str

    @classmethod
    def numbered(cls, number: int, run: str) -> "BatchIds":
        """Return the ids of batch `number` of a run."""
        return cls(derived_id(f"bench {run} {number}"), derived_id(f"bench {run} {number} correlation"))


class Wire:
    """Events of batches of `essays` essays in one era's shape, all of which succeed."""

    def __init__(self, shape: Shape, essays: int) -> None:
        self.shape = shape
        self.topics = _topics(shape)
        self._register = _registration(shape, essays)
        options = PeerOptions(era=shape)
        slots = [f"{number:036d}" for number in range(essays)]
        registration = {"essay_ids": slots, "course_code": "SV1", "essay_instructions": ""}
        batch = open_batch(Chance(0, _BATCH), registration, _CORRELATION)
        provision(options, batch)
        self._ready = _halves(_encoded(shape, ready_event(shape, batch, _MOMENT)), "ready_essays")
        self._outcomes: dict[str, tuple[bytes, bytes]] = {}
        for phase in PHASES:
            batch.runs[phase] = PhaseRun(commands=1)
            run_phase(options, batch, phase, batch.with_content())
            event = outcome_event(options, batch, phase, batch.with_content(), at=_MOMENT, correlation_id=_CORRELATION)
            self._outcomes[phase] = _halves(_encoded(shape, event), "processed_essays")

    def registration(self, ids: BatchIds) -> bytes:
        """Return the registration's record for the request topic."""
        request_id = derived_id(f"{ids.batch_id} request")
        return _filled(self._register, ids, _EVENT).replace(_REQUEST.encode(), request_id.encode())

    def ready(self, ids: BatchIds, essay_ids: Sequence[str]) -> bytes:
        """Return the event that the essays are ready."""
        return self._with_essays(self._ready, ids, "ready", _references(self.shape, essay_ids, phase=None))

    def outcome(self, ids: BatchIds, phase: str, essay_ids: Sequence[str]) -> bytes:
        """Return the outcome of `phase`: every essay succeeded."""
        return self._with_essays(self._outcomes[phase], ids, phase, _references(self.shape, essay_ids, phase=phase))

    def _with_essays(self, halves: tuple[bytes, bytes], ids: BatchIds, what: str, references: bytes) -> bytes:
        head, tail = halves
        event_id = derived_id(f"{ids.batch_id} {what}")
        return _filled(head, ids, event_id) + references + _filled(tail, ids, event_id)


def _topics(shape: Shape) -> dict[str, Topic]:
    """Return the topic of each kind of event."""
    outcome = Topic.OUTCOME_SEED if shape == "seed" else Topic.OUTCOME
    return {"register": Topic.REQUESTS, "ready": Topic.ESSAYS_READY} | dict.fromkeys(PHASES, outcome)


def _registration(shape: Shape, essays: int) -> bytes:
    body: dict[str, object] = {
        "expected_essay_count": essays,
        "course_code": "SV1",
        "enable_cj_assessment": True,
        "essay_instructions": "Argue for or against school uniforms. " * 4,
    }
    if shape == "seed":
        body |= {"class_designation": "Class 9A", "teacher_name": "Ms Berg"}
    else:
        body |= {"user_id": "teacher-7", "org_id": "school-3", "class_id": "class-5"}
    return request_record(
        request_id=_REQUEST,
        kind=RequestKind.REGISTER,
        batch_id=_BATCH,
        principal=Principal(),
        correlation_id=_CORRELATION,
        body=body,
        now=datetime.fromtimestamp(_MOMENT, UTC),
    )


def _encoded(shape: Shape, event: Event) -> bytes:
    return encode(
        shape, event_id=_EVENT, event_type=event.topic, at=event.at, correlation_id=_CORRELATION, data=event.data
    )


def _halves(event: bytes, essays: str) -> tuple[bytes, bytes]:
    """Return an event's bytes before and after its list of essays."""
    start = event.index(f'"{essays}":['.encode()) + len(essays) + 4
    document, end = json.JSONDecoder().raw_decode(event[start - 1 :].decode())
    assert document
    return event[:start], event[start - 1 + end - 1 :]


def _filled(part: bytes, ids: BatchIds, event_id: str) -> bytes:
    part = part.replace(_BATCH.encode(), ids.batch_id.encode())
    return part.replace(_CORRELATION.encode(), ids.correlation_id.encode()).replace(_EVENT.encode(), event_id.encode())


def _references(shape: Shape, essay_ids: Iterable[str], *, phase: str | None) -> bytes:
    """Return a list's content: each essay with a text id; head's spellcheck gives new texts and metrics."""
    corrected = shape == "head" and phase is not None
    text = "2" if corrected else "1"
    metrics = "" if shape == "seed" else ',"spellcheck_metrics":null'
    if corrected and phase == "spellcheck":
        metrics = (
            ',"spellcheck_metrics":{"total_corrections":17,"l2_dictionary_corrections":6,'
            '"spellchecker_corrections":11,"word_count":412,"correction_density":4.13}'
        )
    return ",".join(
        f'{{"essay_id":"{essay_id}","text_storage_id":"{essay_id.replace("-", "")[1:]}{text}"{metrics}}}'
        for essay_id in essay_ids
    ).encode()
