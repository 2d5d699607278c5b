"""The AsyncAPI 3 document: channels, operations and messages of every topic."""

from typing import Any

import msgspec

from api.asyncapi.messages import GENERIC_COMMAND, MESSAGES, Message, Schema, payloads
from api.asyncapi.story import tell
from runtime.metrics import build_info
from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import TopicSpec, TopicTable

_BINDING = "0.5.0"
_MESSAGE_REF = "#/components/messages/"
_GENERIC = "PHASE_COMMAND"
_ABOUT = (
    "Every topic that the batch orchestrator reads and writes. Records are JSON in UTF-8. Unknown fields are ignored, "
    "and fields are added, so readers ignore what they do not know too; enumerations can get new words. Topics of "
    "peers are taken as they are. See docs/wire-contract.md, docs/requests.md, docs/workers.md and dead-letters.md."
)


def document(topics: TopicTable) -> dict[str, Any]:
    """Return the document for topics under these names."""
    story = tell(topics)
    values, parts = payloads()
    specs = {spec.name: spec for spec in topics.specs()}
    channels = {topic.name: _channel(message, specs[topics.name(topic)]) for topic, message in MESSAGES.items()}
    channels[_GENERIC] = _generic_channel(topics)
    told = {message.name: (message, story.records.get(topic)) for topic, message in MESSAGES.items()}
    told[GENERIC_COMMAND.name] = (GENERIC_COMMAND, story.generic_command)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Batch Orchestrator",
            "version": build_info()["version"],
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            **{name: at for topic, message in MESSAGES.items() for name, at in _operations(topic.name, message)},
            **dict(_operations(_GENERIC, GENERIC_COMMAND)),
        },
        "components": {
            "messages": {name: _message(each, values[name], record) for name, (each, record) in told.items()},
            "schemas": dict(sorted(parts.items())),
        },
    }


def text_of(made: dict[str, Any]) -> str:
    """Return the document as its file has it."""
    return msgspec.json.format(msgspec.json.encode(made, order="deterministic"), indent=2).decode() + "\n"


def _channel(message: Message, spec: TopicSpec) -> Schema:
    return {
        "address": spec.name,
        "description": message.about,
        "messages": {message.name: {"$ref": _MESSAGE_REF + message.name}},
        "bindings": {"kafka": _topic_binding(spec)},
        "x-owner": spec.owner,
    }


def _topic_binding(spec: TopicSpec) -> Schema:
    if spec.owner == "peer":
        return {"topic": spec.name, "bindingVersion": _BINDING}
    configuration: Schema = {"cleanup.policy": [spec.cleanup], "max.message.bytes": spec.max_message_bytes}
    retention = "retention.ms" if spec.cleanup == "delete" else "delete.retention.ms"
    configuration[retention] = spec.retention_ms
    return {
        "topic": spec.name,
        "partitions": spec.partitions,
        "topicConfiguration": configuration,
        "bindingVersion": _BINDING,
    }


def _generic_channel(topics: TopicTable) -> Schema:
    return {
        "address": str(topics.phase_command("{phase}")),
        "description": 'The topic of each phase with `payload = "generic"` that names no `command_topic` of its own.',
        "parameters": {"phase": {"description": "Name of the phase in the pipeline file."}},
        "messages": {GENERIC_COMMAND.name: {"$ref": _MESSAGE_REF + GENERIC_COMMAND.name}},
        "bindings": {"kafka": {"bindingVersion": _BINDING}},
        "x-owner": "own",
    }


def _operations(channel: str, message: Message) -> list[tuple[str, Schema]]:
    """Return the operations of the product on a channel."""
    wanted = {"receive": ("receive",), "send": ("send",), "internal": ("send", "receive")}[message.direction]
    return [
        (
            f"{action}{message.name}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": message.about,
                "messages": [{"$ref": f"#/channels/{channel}/messages/{message.name}"}],
            },
        )
        for action in wanted
    ]


def _message(message: Message, payload: Schema, record: OutgoingRecord | None) -> Schema:
    made: Schema = {
        "name": message.name,
        "title": message.name,
        "summary": message.about,
        "payload": payload,
        "bindings": {
            "kafka": {"key": {"type": "string", "description": message.key}, "bindingVersion": _BINDING},
        },
    }
    if message.model is None:
        made["contentType"] = "application/octet-stream"
    if message.headers:
        made["headers"] = {
            "type": "object",
            "properties": {name: {"type": "string", "description": about} for name, about, _ in message.headers},
            "required": [name for name, _, always in message.headers if always],
        }
    if record is not None:
        made["examples"] = [_example(message, record)]
    return made


def _example(message: Message, record: OutgoingRecord) -> Schema:
    made: Schema = {"name": f"{message.name}Example"}
    if message.headers:
        made["headers"] = {name: value.decode() for name, value in record.headers}
    if record.value is not None:
        known = message.model is not None
        made["payload"] = msgspec.json.decode(record.value) if known else record.value.decode()
    return made
