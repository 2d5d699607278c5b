# ruff: noqa: ARG002, FBT001  (signatures are the library's)
"""Runs the real orchestrator, on the real stream library and store, over a cluster in memory.

The library has no driver for tests of a topology. This one puts clients in memory under it, so that a run is exact,
takes milliseconds, and can end at any step.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from quixstreams.internal_consumer import InternalConsumer
from quixstreams.internal_producer import InternalProducer

from runtime.settings import Settings
from schemas.errors import OrchestratorError
from schemas.internal.outgoing import OutgoingRecord
from schemas.topics import Topic
from tests.topology.memory_clients import Died, Fate, MemoryConsumer, MemoryProducer
from tests.topology.memory_kafka import MemoryKafka
from tests.topology.records import life, record, register
from topology.orchestrator.app import build
from topology.stream.application import StreamApplication

OUTPUTS = (
    Topic.REGISTERED,
    Topic.SPELLCHECK_COMMAND,
    Topic.CJ_ASSESSMENT_COMMAND,
    Topic.COMPLETED,
    Topic.STATUS,
    Topic.HISTORY,
    Topic.DEAD_LETTERS,
)


class Left(BaseException):
    """The process ended itself at once."""

    def __init__(self, code: int, error: OrchestratorError) -> None:
        super().__init__(str(error))
        self.code, self.error = code, error


class _Producer(InternalProducer):
    """The library's producer; the store is written right after its offsets are requested."""

    fate: Fate

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        self.fate.step("write the store")
        found: dict[tuple[str, int], int] = super().offsets
        return found


class MemoryApplication(StreamApplication):
    """The application with clients in memory. `guarded=False` takes the assignment guards and H1 out."""

    def __init__(self, *, kafka: MemoryKafka, fate: Fate, guarded: bool = True, guards: Any = (), **rest: Any) -> None:
        self._kafka, self._fate, self._guarded = kafka, fate, guarded
        unwatched = {**rest, "silence_timeout_s": None}  # clients in memory answer at once, or not at all
        super().__init__(guards=guards if guarded else (), leave=self._end, **unwatched)

    def _end(self, code: int, error: OrchestratorError) -> NoReturn:
        self._fate.dead = True
        raise Left(code, error)

    def _get_internal_producer(self, on_error: Any = None, transactional: bool | None = None) -> InternalProducer:
        transactional = self._config.exactly_once if transactional is None else transactional
        producer = _Producer("memory", transactional=transactional)
        producer.fate = self._fate
        name = self._config.producer_extra_config["transactional.id"] if transactional else None
        client = MemoryProducer(self._kafka, self._fate, name)
        wrapper = producer._producer
        wrapper._inner_producer = client
        if transactional:
            # As the library does, when the producer is first used.
            begin, wrapper.begin_transaction = wrapper.begin_transaction, lambda: _first(wrapper, client, begin)
        return producer

    def _get_internal_consumer(self, on_error: Any = None, extra_config_overrides: Any = None) -> InternalConsumer:
        group = self._config.consumer_group
        consumer = InternalConsumer("memory", group, "earliest", on_error=on_error)
        self.memory_consumer = MemoryConsumer(self._kafka, self._fate, group, self.stop)
        consumer._inner_consumer = self.memory_consumer
        return consumer

    def _setup_signal_handlers(self) -> None:
        """Keep the signal handlers of the test."""

    def _on_lost(self, consumer: Any, topic_partitions: list[Any]) -> None:
        if self._guarded:
            super()._on_lost(consumer, topic_partitions)
        else:
            super(StreamApplication, self)._on_lost(consumer, topic_partitions)


def _first(wrapper: Any, client: MemoryProducer, begin: Any) -> None:
    client.init_transactions()
    wrapper.begin_transaction = begin
    begin()


class Driver:
    """One instance of the orchestrator on a cluster in memory. Each `run` is a process from start to end."""

    def __init__(self, directory: Path, kafka: MemoryKafka | None = None, **settings: Any) -> None:
        self._directory = directory
        self._stores = 0
        self.settings = Settings(
            _env_file=None,
            **{
                "topic_partitions": 2,
                "commit_interval_s": 5,
                "commit_idle_s": 5,
                "state_dir": directory / "state-0",
                **settings,
            },
        )
        self.kafka = kafka or MemoryKafka(self.settings.topics())
        self.fate = Fate()

    def application(
        self, *, dies_at: int | None = None, every: int = 0, guarded: bool = True, **build_with: Any
    ) -> Any:
        """Return the application of a process that dies before its step `dies_at`, committing after `every` records."""
        self.fate = Fate(dies_at)

        def make(**options: Any) -> MemoryApplication:
            made = MemoryApplication(kafka=self.kafka, fate=self.fate, guarded=guarded, **options)
            made._processing_context.commit_every = every
            return made

        return build(self.settings, self.kafka, application=make, **build_with)

    def run(self, **options: Any) -> Sequence[str]:
        """Start a process and let it read all records; returns its steps. Raises `Died`, or the error that ended it."""
        self.application(**options).run()
        return self.fate.steps

    def survive(self, **options: Any) -> bool:
        """Like `run`; returns whether it lived to the end."""
        try:
            self.run(**options)
        except Died:
            return False
        return True

    def lose_state(self) -> None:
        """Give the next process an empty state directory."""
        self._stores += 1
        self.settings = self.settings.model_copy(update={"state_dir": self._directory / f"state-{self._stores}"})

    def put(self, *written: OutgoingRecord, key: bytes | None = None) -> int:
        """Write inbox records; returns the version of the last one."""
        at = ("", 0)
        for one in written:
            at = self.kafka.send(one, key=key)
        return len(self.kafka.logs[at]) - 1

    def put_lives(self, *batch_ids: str, essays: int = 3) -> None:
        """Write the inbox records of whole batches, with their events interleaved."""
        versions = {batch_id: self.put(record(batch_id, register(batch_id, essays=essays))) for batch_id in batch_ids}
        lives = [life(batch_id, version, essays=essays)[1:] for batch_id, version in versions.items()]
        for events in zip(*lives, strict=True):
            self.put(*events)
