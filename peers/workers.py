"""Played workers of generic commands: one thread that does every phase of a pipeline, with scripted failures.

They know docs/workers.md alone: the topic of each command, and the topic of the outcomes.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, Message, Producer

from peers.chance import Chance
from peers.playing import PeersError

OUTCOMES = "batch.worker.outcome.v1"
"""Topic of the outcomes, without the prefix."""
_POLL_SECONDS = 0.1
_FLUSH_SECONDS = 30.0
_SUCCEEDED, _WITH_FAILURES, _FAILED = "completed_successfully", "completed_with_failures", "failed_critically"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Behaviour of the workers. What happens to an essay depends on the seed, its batch, phase and attempt alone."""

    topics: Mapping[str, str]
    """Topic of the command of each phase."""
    topic_prefix: str
    seed: int = 0
    failed_essay_rate: float = 0.0
    """Chance of each essay to fail for a passing reason in an attempt of a phase of `flaky`."""
    flaky: Mapping[str, int] = field(default_factory=dict)
    """Phases, with the attempts in which essays may fail; in later ones none does."""
    broken_rate: float = 0.0
    """Chance of each batch that the first attempt of a phase of `broken` fails as a whole."""
    broken: frozenset[str] = frozenset()


class Workers:
    """Does the phases in a thread of its own, from `start` to `stop`; also a context manager.

    A command is committed once its outcome is acknowledged, so that a crash repeats the work and loses nothing.
    """

    def __init__(self, options: WorkerOptions, bootstrap_servers: str) -> None:
        """Connect to nothing yet."""
        self._options = options
        common = {"bootstrap.servers": bootstrap_servers}
        self._consumer = {
            **common,
            "group.id": f"{options.topic_prefix}-played-workers",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
        }
        self._producer = {**common, "enable.idempotence": True, "partitioner": "murmur2_random"}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="played-workers", daemon=True)
        self._failure: Exception | None = None
        self.counts: Counter[str] = Counter()
        """How often what happened: commands, failed essays, failed attempts, by phase."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the thread. Raises `PeersError` if it had failed."""
        self._stopping.set()
        self._thread.join()
        if self._failure is not None:
            raise PeersError(f"the played workers stopped: {self._failure}") from self._failure

    def _run(self) -> None:
        consumer, producer = Consumer(self._consumer), Producer(self._producer)
        try:
            consumer.subscribe(sorted(self._options.topics.values()))
            while not self._stopping.is_set():
                message = consumer.poll(_POLL_SECONDS)
                if message is not None and message.error() is None:
                    self._answer(producer, message)
                    consumer.commit(message)
        except Exception as error:  # noqa: BLE001 - kept for stop(), which raises it
            self._failure = error
        finally:
            consumer.close()

    def _answer(self, producer: Producer, message: Message) -> None:
        command: dict[str, Any] = json.loads(message.value() or b"")["data"]
        undelivered: list[KafkaError] = []
        value = json.dumps({"source_service": "played-workers", "data": outcome_of(command, self._options)})
        producer.produce(
            f"{self._options.topic_prefix}.{OUTCOMES}",
            value,
            message.key(),
            on_delivery=lambda error, _: undelivered.append(error) if error is not None else None,
        )
        if producer.flush(_FLUSH_SECONDS) or undelivered:
            raise PeersError(f"an outcome was not acknowledged: {undelivered}")
        self.counts[f"{command['phase']} attempt {command['attempt']}"] += 1


def outcome_of(command: Mapping[str, Any], options: WorkerOptions) -> dict[str, Any]:
    """Return what the workers make of a command."""
    phase, attempt = command["phase"], command["attempt"]
    chance = Chance(options.seed, command["batch_id"])
    answer = {name: command[name] for name in ("batch_id", "phase", "attempt", "command_id")}
    if phase in options.broken and attempt == 1 and chance.stream(f"broken:{phase}").random() < options.broken_rate:
        return {**answer, "status": _FAILED, "essays": []}
    draws = chance.stream(f"failed:{phase}:{attempt}")
    rate = options.failed_essay_rate if attempt <= options.flaky.get(phase, 0) else 0.0
    essays = [_result(chance, phase, essay, failed=draws.random() < rate) for essay in command["essays"]]
    status = _WITH_FAILURES if any("failure" in essay for essay in essays) else _SUCCEEDED
    return {**answer, "status": status, "essays": essays}


def _result(chance: Chance, phase: str, essay: Mapping[str, Any], *, failed: bool) -> dict[str, Any]:
    essay_id = essay["essay_id"]
    if failed:
        return {"essay_id": essay_id, "failure": {"reason": "the language model was busy", "retryable": True}}
    text = chance.text_id(f"{phase}:{essay_id}")
    return {"essay_id": essay_id, "text_storage_id": text, "metrics": {f"{phase}_score": len(essay_id)}}
