"""Records of peers and clients, in every wire era, normalised into one canonical event each."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from schemas import ids
from schemas.errors import Code, UnreadableRecord
from schemas.inbound import canonical, models
from schemas.inbound.quick import PeerEvent, read_quickly
from schemas.inbound.worker_outcome import WorkerOutcomeData
from schemas.internal.dead_letters import WRAPPED, first_coordinates
from schemas.internal.events import Body, InboxRecord, Origin
from schemas.internal.formats import INBOX
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import decode_inbox
from schemas.json_bounds import count_values
from schemas.public.registration import RegistrationPolicy
from schemas.public.validation_errors import faults, sentence
from schemas.text import unusable_character
from schemas.topics import ROUTER_INPUTS, Topic

_ENVELOPE_VALUES = 100
"""Room for the envelope around a body that the api has let in."""
_OUTCOMES = (Topic.OUTCOME, Topic.OUTCOME_SEED)
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def normalise(
    topic: Topic, at: RecordPosition, value: bytes | None, headers: Mapping[str, bytes], policy: RegistrationPolicy
) -> InboxRecord:
    """Return the inbox record that a record of one of the router's input topics becomes.

    `at` is where the record lies; its key plays no part. A record of the replay topic is read as where its headers
    say that it was first read. Raises `UnreadableRecord` with a code of its own for each kind of fault, and with the
    request id where that could be read.
    """
    if topic is Topic.REPLAY:
        return _replayed(value, headers, policy)
    return _normalise(topic, at, _check_bytes(value, policy), headers, policy)


def _replayed(value: bytes | None, headers: Mapping[str, bytes], policy: RegistrationPolicy) -> InboxRecord:
    first = first_coordinates(headers)
    if WRAPPED in headers:
        return _check_batch_id(decode_inbox(value or b""))
    try:
        topic = policy.topics.topic(first.topic)
    except ValueError:
        topic = Topic.REPLAY
    if topic is Topic.REPLAY or topic not in ROUTER_INPUTS:
        raise UnreadableRecord(
            f"the replayed record was first read from {first.topic!r}, which is no input.",
            code=Code.REPLAY,
            next_step="Send dead letters again with the product's own tools, which keep the headers.",
        )
    return _normalise(topic, first, _check_bytes(value, policy), headers, policy)


def _check_batch_id(record: InboxRecord) -> InboxRecord:
    """Return a replayed inbox record whose batch can be stored and found: it passes no model of its own."""
    found = unusable_character(record.batch_id)
    if found is not None or not 0 < len(record.batch_id) <= models.MAX_BATCH_ID:
        what = f"holds the control character {found}" if found else f"has {len(record.batch_id)} characters"
        raise UnreadableRecord(
            f"batch_id {what}; an id has 1 to {models.MAX_BATCH_ID}, none of them a control character.",
            code=Code.FIELDS,
            next_step="Correct the producer: this record was not written by the product.",
        )
    return record


def _check_bytes(value: bytes | None, policy: RegistrationPolicy) -> bytes:
    if value is None:
        raise UnreadableRecord(
            "the record has no value.",
            code=Code.NOT_JSON,
            next_step="Correct the producer: inputs have no tombstones.",
        )
    if len(value) > policy.limits.input_bytes:
        raise UnreadableRecord(
            f"the record has {len(value)} bytes; the limit is {policy.limits.input_bytes}.",
            code=Code.TOO_LARGE,
            next_step="Split the batch, or raise MAX_INPUT_BYTES and the sizes above it.",
        )
    return value


def _check_values(value: bytes, policy: RegistrationPolicy) -> None:
    """Refuse a request whose fingerprint would take seconds: it is reckoned value by value."""
    limit = policy.limits.json_values + _ENVELOPE_VALUES
    if len(value) > limit and (count := count_values(value)) > limit:
        raise UnreadableRecord(
            f"the request holds {count} JSON values; the limit is {limit}.",
            code=Code.TOO_MANY_VALUES,
            next_step="Leave out what a request does not need, or split the batch.",
            request_id=request_id_of(value),
        )


def _normalise(
    topic: Topic, first: RecordPosition, value: bytes, headers: Mapping[str, bytes], policy: RegistrationPolicy
) -> InboxRecord:
    event = read_quickly(topic, value, policy.limits) or read_by_models(topic, value, policy)
    trace = headers.get("traceparent")
    return InboxRecord(
        writer=INBOX.version,
        least_reader=INBOX.least_reader,
        batch_id=event.batch_id,
        origin=Origin(
            event_id=event.event_id or ids.record_id(first.topic, first.partition, first.offset),
            event_type=event.event_type,
            topic=first.topic,
            partition=first.partition,
            offset=first.offset,
            source=event.source,
            produced_ms=event.produced_ms,
            correlation_id=event.correlation_id,
            traceparent=trace.decode() if trace is not None and _TRACEPARENT.fullmatch(trace) else None,
        ),
        body=event.body,
    )


def read_by_models(topic: Topic, value: bytes, policy: RegistrationPolicy) -> PeerEvent:
    """Return the event as the models read it. Raises `UnreadableRecord`."""
    if b"NaN" in value or b"Infinity" in value:
        _refuse_non_numbers(value)
    if topic is Topic.REQUESTS:
        _check_values(value, policy)
    envelope: models.Envelope[Any]
    try:
        envelope = _ADAPTERS[topic].validate_json(value)
    except ValidationError as error:
        _refuse(topic, value, error)
    event_id, correlation = envelope.event_id, envelope.correlation_id
    return PeerEvent(
        batch_id=envelope.data.batch_id,
        event_id=None if event_id is None else str(event_id),
        event_type=envelope.event_type,
        source=envelope.source_service,
        produced_ms=canonical.milliseconds(envelope.event_timestamp),
        correlation_id=None if correlation is None else str(correlation),
        body=_body(topic, envelope, policy),
    )


_ADAPTERS: dict[Topic, TypeAdapter[Any]] = {
    Topic.REQUESTS: models.request,
    Topic.ESSAYS_READY: models.ready,
    Topic.CONTENT_PROVISIONED: models.provisioned,
    Topic.VALIDATION_ERRORS: models.validation_errors,
    Topic.OUTCOME: models.outcome,
    Topic.OUTCOME_SEED: models.outcome,
    Topic.WORKER_OUTCOME: TypeAdapter(models.Envelope[WorkerOutcomeData]),
}


_DOCUMENTS = {Topic.WORKER_OUTCOME: "docs/workers.md", Topic.REQUESTS: "docs/requests.md"}


def _body(topic: Topic, envelope: models.Envelope[Any], policy: RegistrationPolicy) -> Body:
    data, limits = envelope.data, policy.limits
    if topic is Topic.ESSAYS_READY:
        return canonical.essays_ready(data, limits)
    if topic in _OUTCOMES:
        return canonical.phase_concluded(data, envelope.correlation_id, limits)
    if topic is Topic.WORKER_OUTCOME:
        return canonical.worker_concluded(data, envelope.correlation_id, limits)
    if topic is Topic.CONTENT_PROVISIONED:
        return canonical.content_provisioned(data, limits)
    if topic is Topic.VALIDATION_ERRORS:
        return canonical.validation_failed(data, limits)
    return canonical.requested(envelope, policy)


def _refuse(topic: Topic, value: bytes, error: ValidationError) -> NoReturn:
    found = faults(error)
    code, step = Code.FIELDS, f"Correct the producer; {_DOCUMENTS.get(topic, 'docs/wire-contract.md')} has the fields."
    if found[0]["type"] == "json_invalid":
        code, step = Code.NOT_JSON, "Correct the producer: the value is one JSON object."
    elif all(fault["loc"][-1:] == ["correlation_id"] for fault in found):
        code, step = Code.CORRELATION_ID, "Correct the producer: a correlation id is a UUID, or null."
    request_id = request_id_of(value) if topic is Topic.REQUESTS else None
    raise UnreadableRecord(sentence(found), code=code, next_step=step, request_id=request_id) from error


def request_id_of(value: bytes) -> str | None:
    """Return the id of a request that could not be used, where it can be read: somebody may wait for its answer."""
    try:
        found = json.loads(value)["data"]["request_id"]  # which takes more than a record may hold, NaN for one
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(found, str) or not 0 < len(found) <= models.MAX_BATCH_ID:
        return None
    return found if unusable_character(found) is None else None


def _refuse_non_numbers(value: bytes) -> None:
    # The parser takes NaN and infinities, which are no JSON and which nothing downstream could write again.
    def refuse(name: str) -> NoReturn:
        raise UnreadableRecord(
            f"{name} is no JSON number.", code=Code.NOT_JSON, next_step="Correct the producer: send null instead."
        )

    try:
        json.loads(value, parse_constant=refuse)
    except (ValueError, RecursionError):
        return  # the real parser says what is wrong
