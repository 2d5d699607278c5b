"""Processes of the product on a real Kafka, for tests, with their own settings; and readers of their output."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from cli.broker import Kafka
from cli.supervision.ports import free_port
from runtime.settings import ENV_PREFIX, Settings
from schemas.topics import Topic
from tests.patience import PATIENCE_S, await_that
from topology.topics import provisioning

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "data" / "samples"


def own_settings(kafka: Kafka, **settings: Any) -> Settings:
    """Return settings with a unique topic prefix and unique groups."""
    name = f"t{uuid4().hex[:10]}"
    defaults: dict[str, Any] = {
        "topic_prefix": name,
        "topic_partitions": 3,
        "orchestrator_group": f"{name}-orchestrator",
        "router_group": f"{name}-router",
        "timekeeper_group": f"{name}-timekeeper",
        "router_start": "earliest",
        "metrics_port": free_port(),
        "topic_check_interval_s": 0.5,
        "startup_timeout_s": PATIENCE_S,
        "stop_timeout_s": PATIENCE_S,
    }
    values = {"kafka_bootstrap_servers": kafka.bootstrap_servers, **defaults, **settings}
    return Settings(_env_file=None, **values)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a process these settings."""
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    given = {name: value for name, value in given.items() if value is not None}
    return {
        f"{ENV_PREFIX}{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in given.items()
    }


class RunningProcess:
    """`run` of a module of `topology` in a child process; the context manager kills it at the end.

    `beyond` is code that runs before it, to compose the process of other parts than the product's.
    """

    def __init__(self, module: str, settings: Settings, beyond: str = "") -> None:
        self.settings = settings
        program = (
            f"import sys\nfrom runtime.settings import Settings\nfrom topology.{module} import app\n{beyond}\n"
            "sys.exit(app.run(Settings()))"
        )
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", program],
            cwd=ROOT,
            env={**inherited, **environment(settings)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors = ""
        """Output on stderr, after its end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self.wait()
        if error is not None:
            sys.stderr.write(self.errors)  # the test runner shows it with the failure

    def terminate(self) -> None:
        """Ask it to stop, as a supervisor does."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it, to simulate a crash."""
        self._process.kill()

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Return its exit code."""
        _, errors = self._process.communicate(timeout=seconds)
        self.errors += errors
        return self._process.returncode

    def report(self, path: str = "/readyz") -> dict[str, Any]:
        """Return the report of its metrics port; an empty one while the port is closed."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"http://127.0.0.1:{self.settings.metrics_port}{path}", timeout=PATIENCE_S
            ) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.load(error))
        except OSError:
            return {}

    def metric(self, name: str) -> float:
        """Return the value of one of its metrics without labels; -1 while the port is closed."""
        address = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                address, timeout=PATIENCE_S
            ) as answer:
                text = answer.read().decode()
        except OSError:
            return -1.0
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))

    def await_ready(self) -> None:
        """Wait until it is ready; fails with the end of its output if it ends before."""

        def ready() -> bool:
            code = self._process.poll()
            assert code is None, f"ended with {code}:\n{self._process.communicate()[1]}"
            return self.report().get("status") == "ok"

        await_that(ready, "the process is ready")


class Log:
    """Reads a topic from its beginning; read committed."""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._name = settings.topics().name(topic)
        config = {
            **settings.kafka(),
            "group.id": "unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "fetch.message.max.bytes": 20_000_000,
        }
        self._consumer = Consumer(config)
        partitions = self._consumer.list_topics(self._name, timeout=PATIENCE_S).topics[self._name].partitions
        self._consumer.assign([TopicPartition(self._name, number, 0) for number in partitions])
        self.records: list[Message] = []
        """What has been read so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def look(self) -> None:
        """Read the records since the last call; waits a moment if there are none."""
        for message in self._consumer.consume(500, 0.1):
            assert message.error() is None, message.error()
            self.records.append(message)

    def read(self, count: int) -> list[Message]:
        """Wait for the first `count` records and return them."""

        def enough() -> bool:
            self.look()
            return len(self.records) >= count

        if len(self.records) < count:
            await_that(enough, f"{self._name} holds {count} records (it held {len(self.records)})")
        return self.records[:count]


def send(settings: Settings, topic: Topic, records: list[dict[str, Any]]) -> None:
    """Produce records; each is the arguments of `produce`."""
    producer = Producer({**settings.kafka(), "message.max.bytes": 20_000_000, "linger.ms": 5})
    failed: list[Any] = []
    for record in records:
        producer.produce(
            settings.topics().name(topic),
            on_delivery=lambda error, _: failed.append(error) if error is not None else None,
            **record,
        )
    producer.flush(PATIENCE_S)
    assert not failed, failed


def sample(name: str, event: str, **data: Any) -> dict[str, Any]:
    """Return the envelope of a sample event, with `data` replaced in its payload."""
    document = json.loads((SAMPLES / f"{name}.json").read_text())
    envelope = next(dict(one["value"]) for one in document["events"] if one["name"] == event)
    return {**envelope, "event_id": str(uuid4()), "data": {**envelope["data"], **data}}


def header_map(message: Message) -> Mapping[str, bytes]:
    """Return a record's headers."""
    return {name: value for name, value in message.headers() or [] if isinstance(value, bytes)}


def ready_event(batch_id: str) -> bytes:
    """Return a ready event of the seed era with three essays."""
    return json.dumps(sample("batch_essays_ready", "three_ready", batch_id=batch_id)).encode()


def provisioned(kafka: Kafka, **settings: Any) -> Settings:
    """Return unique settings, with all topics created."""
    made = own_settings(kafka, **settings)
    provisioning.apply(made, create_peer_topics=True)
    return made
