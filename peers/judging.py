"""Judging a message by its form: JSON, schema, routing, key, headers, identity."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from peers.envelope import Json, Message
from peers.options import Era
from peers.rules import Finding, Rule
from peers.schema import SchemaSet
from peers.topics import COMPLETED, REGISTERED, Inbound

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_MIRRORED_HEADERS = ("event_id", "event_type", "correlation_id")
_COMPLETED_MODEL = "BatchPipelineCompletedV1"


class FormJudge:
    """Holds messages to the era's schemas and to the rules that need no knowledge of the batch."""

    def __init__(self, era: Era) -> None:
        """Read and compile the era's schemas."""
        self._era = era
        self._schemas = SchemaSet.of_era(era)
        # The completed event came with head; whoever reads it reads that shape.
        self._head = self._schemas if era == "head" else SchemaSet.of_era("head")

    def knows(self, inbound: Inbound) -> bool:
        """Whether the era's peers have a model for this topic."""
        return inbound.topic == COMPLETED or inbound.model in self._schemas

    def findings(self, inbound: Inbound, message: Message, envelope: Json) -> list[Finding]:
        """All rules of form that the message breaks."""
        schemas = self._head if inbound.model == _COMPLETED_MODEL else self._schemas
        faults = self._schemas.faults("EventEnvelope", envelope)
        faults += [f"data.{fault}" for fault in schemas.faults(inbound.model, envelope.get("data"))]
        if faults:
            return [Finding(Rule.SCHEMA, f"not a {self._era} {inbound.model}: {'; '.join(faults[:5])}")]
        data: Json = envelope["data"]
        return [
            *_routing(inbound, message, envelope),
            *_identity(self._era, inbound, message, data),
            *_headers(message, envelope),
        ]


def named_batch(era: Era, inbound: Inbound, data: Mapping[str, Any]) -> str | None:
    """The batch that an event is about, read where the era's peers read it."""
    if inbound.topic == COMPLETED or (inbound.topic == REGISTERED and era != "head"):
        named = data.get("batch_id")
    elif era == "head":
        named = data.get("entity_id")
    else:
        named = data["entity_ref"]["entity_id"]
    return named if isinstance(named, str) else None


def _routing(inbound: Inbound, message: Message, envelope: Json) -> Iterator[Finding]:
    wanted = inbound.event_type or message.topic
    if envelope["event_type"] != wanted:
        yield Finding(Rule.EVENT_TYPE, f"event_type is {envelope['event_type']!r}, the peer routes on {wanted!r}")
    field = "event_name" if inbound.phase else "event"
    name = envelope["data"].get(field, inbound.data_name)
    if name != inbound.data_name:
        yield Finding(Rule.EVENT_NAME, f"data.{field} is {name!r} instead of {inbound.data_name!r}")
    if envelope.get("correlation_id") is None:
        yield Finding(Rule.CORRELATION_ID, "the envelope carries no correlation id")
    if "correlation_id" in envelope["data"] and envelope["data"]["correlation_id"] != envelope.get("correlation_id"):
        yield Finding(Rule.CORRELATION_ID, "data.correlation_id differs from the envelope's")


def _identity(era: Era, inbound: Inbound, message: Message, data: Json) -> Iterator[Finding]:
    batch_id = named_batch(era, inbound, data)
    if batch_id is None:
        yield Finding(Rule.ENTITY_NULL, "entity_id is null: dispatch is skipped and the batch is lost")
        return
    if message.key != batch_id.encode():
        yield Finding(Rule.KEY, f"key is {message.key!r} instead of the batch id {batch_id}")
    for place, value in _named_entities(data):
        wanted = "batch" if place.endswith("entity_type") else batch_id
        if value != wanted:
            yield Finding(Rule.ENTITY, f"{place} is {value!r} instead of {wanted!r}")


def _named_entities(data: Json) -> Iterator[tuple[str, Any]]:
    """(path, value) of every place in data that names the entity and is not null."""
    metadata = data.get("metadata") or {}
    holders = {
        "data": data,
        "data.entity_ref": data.get("entity_ref") or {},
        "data.metadata": metadata,
        "data.metadata.entity": metadata.get("entity") or {},
    }
    for path, holder in holders.items():
        for name in ("batch_id", "entity_id", "entity_type"):
            if holder.get(name) is not None:
                yield f"{path}.{name}", holder[name]


def _headers(message: Message, envelope: Json) -> Iterator[Finding]:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers}
    for name in _MIRRORED_HEADERS:
        if name not in headers:
            yield Finding(Rule.HEADERS, f"header {name} is missing")
        elif headers[name] != str(envelope.get(name)):
            yield Finding(Rule.HEADERS, f"header {name} is {headers[name]!r}, the envelope says {envelope.get(name)!r}")
    if "traceparent" not in headers:
        yield Finding(Rule.HEADERS, "header traceparent is missing")
    elif _TRACEPARENT.fullmatch(headers["traceparent"]) is None:
        yield Finding(Rule.HEADERS, f"header traceparent is malformed: {headers['traceparent']!r}")
