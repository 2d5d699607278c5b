"""What travels on each topic: the model of the value, the key, the headers, and who sends it."""

from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct
from pydantic import TypeAdapter

from schemas.inbound import models
from schemas.inbound.models import Envelope
from schemas.inbound.worker_outcome import WorkerOutcomeData
from schemas.internal import dead_letters, records
from schemas.internal.events import InboxRecord
from schemas.internal.group_starts import GroupStart
from schemas.internal.history import HistoryRecord
from schemas.internal.operations import OperationRecord
from schemas.internal.processes import ProcessRecord
from schemas.internal.status import StatusRecord
from schemas.outbound import render
from schemas.outbound.payloads import PAYLOADS
from schemas.outbound.worker_command import WorkerCommand
from schemas.topics import Topic

Schema = dict[str, Any]
Direction = Literal["receive", "send", "internal"]
_REF = "#/components/schemas/{name}"
_BATCH_KEY = "batch_id"
_ANY_KEY = "any; best the batch_id"


class Message(NamedTuple):
    """One kind of record."""

    name: str
    """Name in the document."""
    about: str
    """What it says, as a sentence."""
    direction: Direction
    """`receive`: others send it to the product. `send`: the product sends it to others. `internal`: both are its own
    processes; anybody may read it."""
    model: Any
    """A struct, the adapter of a pydantic model, or None where the value is any bytes."""
    key: str = _BATCH_KEY
    """What the key is."""
    headers: tuple[tuple[str, str, bool], ...] = ()
    """Name of each header, what it says, and whether it is always there."""


_EVENT_HEADERS = (
    ("event_id", "Id of the event.", True),
    ("event_type", "As in the envelope.", True),
    ("correlation_id", "As in the envelope.", True),
    ("traceparent", "W3C trace context.", True),
)
_LETTER_HEADERS = (
    (dead_letters.FIRST_TOPIC, "Topic on which the record was first read.", True),
    (dead_letters.FIRST_PARTITION, "Its partition, decimal.", True),
    (dead_letters.FIRST_OFFSET, "Its offset, decimal.", True),
    (dead_letters.FIRST_TIME_MS, "Its time, Unix milliseconds.", True),
    (dead_letters.FIRST_KEY, "Its key, where it had one.", False),
    (dead_letters.WRAPPED, "`1` where the value is an inbox record.", False),
    (dead_letters.REQUEST_ID, "Id of the request that it carries.", False),
    (dead_letters.CODE, "Stable error code (docs/errors).", True),
    (dead_letters.REASON, "Why it could not be used, as a sentence.", True),
    (dead_letters.TRACEBACK, "Where it failed, shortened.", False),
)
_STATE_HEADERS = (
    (dead_letters.STATE, "`replayed` or `discarded`: what an operator did with the dead letter.", False),
    (dead_letters.STATE_OF, "Offset of the dead letter that this is about.", False),
    (dead_letters.STATE_LETTER_TIME_MS, "Its append time.", False),
    (dead_letters.STATE_TIME_MS, "When it was handled.", False),
    (dead_letters.STATE_BY, "By whom.", False),
    (dead_letters.STATE_NOTE, "Why, in the operator's words.", False),
)
_VERSION = (records.VERSION, "Version of the batch, decimal.", True)

MESSAGES: dict[Topic, Message] = {
    Topic.REQUESTS: Message(
        "Request",
        "Asks something of a batch: register, cancel, pause, resume or retry. Anybody may send it (docs/requests.md).",
        "receive",
        models.request,
    ),
    Topic.ESSAYS_READY: Message("EssaysReady", "The essays of a batch are ready.", "receive", models.ready, _ANY_KEY),
    Topic.CONTENT_PROVISIONED: Message(
        "ContentProvisioned", "All content of a batch has arrived.", "receive", models.provisioned, _ANY_KEY
    ),
    Topic.VALIDATION_ERRORS: Message(
        "ValidationErrors", "Files of a batch failed validation.", "receive", models.validation_errors, _ANY_KEY
    ),
    Topic.OUTCOME: Message("PhaseOutcome", "A peer's outcome of a phase.", "receive", models.outcome, _ANY_KEY),
    Topic.OUTCOME_SEED: Message(
        "PhaseOutcomeSeed", "The same, under the name of the seed era.", "receive", models.outcome, _ANY_KEY
    ),
    Topic.WORKER_OUTCOME: Message(
        "WorkerOutcome",
        "A worker's outcome of a generic command (docs/workers.md).",
        "receive",
        TypeAdapter(Envelope[WorkerOutcomeData]),
        _ANY_KEY,
    ),
    Topic.REPLAY: Message(
        "Replay",
        "A dead letter that is read once more, with the value and the headers that it has.",
        "internal",
        None,
        "id of the dead letter",
        _LETTER_HEADERS,
    ),
    Topic.STARTS: Message(
        "GroupStart", "What a consumer group has started to read.", "internal", GroupStart, "name of the group"
    ),
    Topic.INBOX: Message(
        "InboxRecord", "A canonical event of one batch, of whatever era it came from.", "internal", InboxRecord
    ),
    Topic.REGISTERED: Message(
        "BatchRegistered", "A batch was registered.", "send", PAYLOADS[Topic.REGISTERED], headers=_EVENT_HEADERS
    ),
    Topic.SPELLCHECK_COMMAND: Message(
        "SpellcheckCommand",
        "Commands spellcheck of a batch.",
        "send",
        PAYLOADS[Topic.SPELLCHECK_COMMAND],
        headers=_EVENT_HEADERS,
    ),
    Topic.CJ_ASSESSMENT_COMMAND: Message(
        "CjAssessmentCommand",
        "Commands comparative judgement of a batch.",
        "send",
        PAYLOADS[Topic.CJ_ASSESSMENT_COMMAND],
        headers=_EVENT_HEADERS,
    ),
    Topic.NLP_COMMAND: Message(
        "NlpCommand",
        "Commands linguistic analysis of a batch.",
        "send",
        PAYLOADS[Topic.NLP_COMMAND],
        headers=_EVENT_HEADERS,
    ),
    Topic.AI_FEEDBACK_COMMAND: Message(
        "AiFeedbackCommand",
        "Commands feedback on the essays of a batch.",
        "send",
        PAYLOADS[Topic.AI_FEEDBACK_COMMAND],
        headers=_EVENT_HEADERS,
    ),
    Topic.STUDENT_MATCHING_COMMAND: Message(
        "StudentMatchingCommand",
        "Commands the matching of essays to the students of a class.",
        "send",
        PAYLOADS[Topic.STUDENT_MATCHING_COMMAND],
        headers=_EVENT_HEADERS,
    ),
    Topic.COMPLETED: Message(
        "PipelineCompleted",
        "A batch has ended; once in its life.",
        "send",
        PAYLOADS[Topic.COMPLETED],
        headers=_EVENT_HEADERS,
    ),
    Topic.STATUS: Message(
        "BatchStatus",
        "Snapshot of a batch after the event that gave it its version. No value: the batch was purged.",
        "send",
        StatusRecord,
        headers=(_VERSION, (records.NEXT_DEADLINE_MS, "Earliest armed deadline, Unix milliseconds.", False)),
    ),
    Topic.HISTORY: Message(
        "Decision",
        "What was decided on one inbox record; there is exactly one for each.",
        "send",
        HistoryRecord,
        headers=(
            _VERSION,
            (records.DISPOSITION, "What came of the event.", True),
            (records.REQUEST_ID, "Id of the request, where it was one.", False),
        ),
    ),
    Topic.DEAD_LETTERS: Message(
        "DeadLetter",
        "A record that could not be used, with the bytes that it has, or what an operator did with one.",
        "send",
        None,
        "id of the dead letter",
        (*_LETTER_HEADERS, *_STATE_HEADERS),
    ),
    Topic.PROCESSES: Message(
        "ProcessReport",
        "A process reports how it is; a record without a value: it was removed for good, and is forgotten.",
        "internal",
        ProcessRecord,
        "KIND/INSTANCE of the process",
    ),
    Topic.OPERATIONS: Message(
        "Operation",
        "A bulk operation and its progress; under the key `ID/stop`, the wish to stop it (docs/operations.md).",
        "internal",
        OperationRecord,
        "id of the operation",
    ),
}
"""The message of every topic of the table."""

GENERIC_COMMAND = Message(
    "GenericCommand",
    "Commands one attempt of a phase that a pipeline file defines (docs/workers.md).",
    "send",
    WorkerCommand,
    headers=_EVENT_HEADERS,
)


def payloads() -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return the schema of each message's value, by the message's name, and the schemas that these refer to."""
    structs: dict[str, type[Struct]] = {}
    values: dict[str, Schema] = {}
    parts: dict[str, Schema] = {}
    for message in (*MESSAGES.values(), GENERIC_COMMAND):
        if message.model is None:
            values[message.name] = {"description": "Any bytes."}
        elif isinstance(message.model, TypeAdapter):
            values[message.name] = _pydantic(message.model, parts)
        else:
            structs[message.name] = _enveloped(message) if message.headers == _EVENT_HEADERS else message.model
    found, components = msgspec.json.schema_components(list(structs.values()), ref_template=_REF)
    _merge(parts, components)
    values |= dict(zip(structs, found, strict=True))
    return _public(values), _public(parts)


def _enveloped(message: Message) -> type[Struct]:
    """Return the peers' envelope around the payload of a message."""
    fields = [
        (field.name, message.model if field.name == "data" else field.type)
        for field in msgspec.structs.fields(render.Envelope)
    ]
    return msgspec.defstruct(f"{message.name}Event", fields)


def _pydantic(model: "TypeAdapter[Any]", parts: dict[str, Schema]) -> Schema:
    schema = model.json_schema(ref_template="#/components/schemas/{model}")
    _merge(parts, schema.pop("$defs", {}))
    return schema


def _merge(parts: dict[str, Schema], more: dict[str, Schema]) -> None:
    for name, schema in more.items():
        before = parts.setdefault(name, schema)
        same_words = "enum" in schema and set(schema["enum"]) == set(before.get("enum", ()))
        assert before == schema or same_words, f"two models are called {name}"


def _public(schemas: dict[str, Schema]) -> dict[str, Schema]:
    """Return schemas as an AsyncAPI document takes them, with the prefix `Peer` for private models of peers' records.

    `discriminator` is left out: it means another thing in AsyncAPI than in OpenAPI, and says nothing that the
    alternatives do not say.
    """
    text = msgspec.json.encode(schemas).decode().replace("#/components/schemas/_", "#/components/schemas/Peer")
    renamed: dict[str, Schema] = msgspec.json.decode(text)
    return {
        f"Peer{name[1:]}" if name.startswith("_") else name: _without_discriminators(schema)
        for name, schema in renamed.items()
    }


def _without_discriminators(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_discriminators(each) for each in schema]
    if isinstance(schema, dict):
        return {name: _without_discriminators(each) for name, each in schema.items() if name != "discriminator"}
    return schema
