"""The verifier finds every kind of broken promise, and nothing in a log that keeps them."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cli.broker import Kafka
from cli.verifier import verify
from runtime.settings import Settings
from schemas.topics import Topic
from tests.integration.processes import own_settings, send
from topology.topics import provisioning

Log = dict[Topic, list[dict[str, Any]]]
BATCH = "batch-1"


def whole_log(settings: Settings) -> Log:
    command = settings.topics().name(Topic.SPELLCHECK_COMMAND)
    effect = {"kind": "command_phase", "event_id": "e1", "topic": command, "phase": "spellcheck", "attempt": 1}

    def history(
        offset: int, disposition: str, based_on: int, version: int, effects: list[Any], reason: str = "phase_completed"
    ) -> dict[str, Any]:
        return {
            "batch_id": BATCH,
            "partition": 0,
            "offset": offset,
            "disposition": disposition,
            "reason": {"code": reason},
            "based_on": based_on,
            "version": version,
            "effects": effects,
        }

    return {
        Topic.INBOX: [{"n": number} for number in range(5)],
        Topic.HISTORY: [
            history(0, "applied", -1, 0, []),
            history(1, "stale", 0, 0, []),
            history(2, "applied", 0, 2, [effect]),
            history(3, "quarantined", -1, -1, [], "unreadable_record"),
            history(4, "quarantined", -1, -1, [], "key_mismatch"),
        ],
        Topic.SPELLCHECK_COMMAND: [{"event_id": "e1"}],
        Topic.STATUS: [{"version": 0}, {"version": 2}],
    }


def another_life(log: Log) -> None:
    """Purge the batch, let a twin of the purge come, and register and start it again."""
    inbox, history = log[Topic.INBOX], log[Topic.HISTORY]
    [effect] = history[2]["effects"]
    again = {**effect, "event_id": "e2"}
    for based_on, version, reason, effects in [
        (2, -1, "batch_purged", []),
        (-1, -1, "no_batch_left", []),
        (-1, 7, "registered", []),
        (7, 8, "pipeline_started", [again]),
    ]:
        disposition = "stale" if reason == "no_batch_left" else "applied"
        record = {"offset": len(inbox), "disposition": disposition, "based_on": based_on, "version": version}
        history.append({**history[0], **record, "reason": {"code": reason}, "effects": effects})
        inbox.append({"n": len(inbox)})
    log[Topic.SPELLCHECK_COMMAND].append({"event_id": "e2"})
    log[Topic.STATUS] += [{"version": 5}, {"version": 7}, {"version": 8}]


def write(kafka: Kafka, log: Log | None = None, change: Callable[[Log], object] = lambda _: None) -> Settings:
    settings = own_settings(kafka)
    provisioning.apply(settings, create_peer_topics=True)
    log = deepcopy(log or whole_log(settings))
    change(log)
    for topic, values in log.items():
        send(
            settings,
            topic,
            [
                {
                    "key": BATCH,
                    "value": json.dumps(value),
                    "partition": 0,
                    "headers": {name: str(value[name]) for name in ("event_id", "version") if name in value},
                }
                for value in values
            ],
        )
    return settings


def test_a_whole_log_is_sound(kafka: Kafka) -> None:
    settings = write(kafka)
    findings = verify(settings.kafka(), settings.topics())
    assert findings.problems == []
    assert findings.sound
    assert (findings.inbox, findings.history, findings.effects, findings.batches) == (5, 5, 1, 1)
    assert findings.dispositions == {"applied": 2, "stale": 1, "quarantined": 2}


def test_a_batch_that_was_purged_and_registered_again_is_sound(kafka: Kafka) -> None:
    settings = write(kafka, change=another_life)
    findings = verify(settings.kafka(), settings.topics())
    assert findings.problems == []
    assert (findings.history, findings.effects, findings.batches) == (9, 2, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda log: log[Topic.INBOX].append({"n": 5}), "inbox record (0, 5) has no history record"),
        (lambda log: log[Topic.HISTORY].append(log[Topic.HISTORY][1]), "inbox record (0, 1) has 2 history records"),
        (lambda log: log[Topic.INBOX].pop(), "history has a record of inbox record (0, 4), which does not exist"),
        (lambda log: log[Topic.HISTORY][2].update(based_on=1), "offset 2 is based on 1, not on 0"),
        (
            lambda log: log[Topic.HISTORY][3].update(disposition="unknown", reason={"code": "unknown_batch"}),
            "offset 3 is based on -1, not on 2",
        ),
        (lambda log: log[Topic.HISTORY][1].update(disposition="applied"), "is applied yet goes from version 0 to 0"),
        (lambda log: log[Topic.HISTORY][1].update(version=1), "is stale yet goes from version 0 to 1"),
        (lambda log: log[Topic.SPELLCHECK_COMMAND].append({"event_id": "e1"}), "e1 exists 2 times"),
        (lambda log: log[Topic.SPELLCHECK_COMMAND].clear(), "e1 does not exist"),
        (lambda log: log[Topic.SPELLCHECK_COMMAND].append({"event_id": "e2"}), "e2 is in no history"),
        (
            lambda log: log[Topic.HISTORY][0].update(effects=log[Topic.HISTORY][2]["effects"]),
            f"('{BATCH}', 'spellcheck', 1) is commanded 2 times",
        ),
        (lambda log: log[Topic.STATUS].pop(), f"batch {BATCH}: last status 0, last history 2"),
        (lambda log: log[Topic.STATUS].append({"version": 1}), f"batch {BATCH}: status 1 after 2"),
    ],
)
def test_a_broken_promise_is_found(kafka: Kafka, change: Callable[[Log], object], problem: str) -> None:
    settings = write(kafka, change=change)
    findings = verify(settings.kafka(), settings.topics())
    assert not findings.sound
    assert any(problem in found for found in findings.problems), findings.problems
