"""/healthz on a real Kafka of its own: broker restarts, silent processes, open transactions, orderly stops."""

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx
import pytest
from confluent_kafka import Message, Producer

from cli.broker import DevBroker
from cli.supervision.stack import Stack, StackOptions
from runtime.health import ProcessHealth
from runtime.process_report import ProcessReporter
from schemas.internal.processes import ProcessState
from schemas.internal.records import decode_process
from schemas.topics import Topic
from tests.integration.orchestrating import read_topics

WAIT_S = 120.0
INTERVAL_S = 1.0
BOUND_S = 3 * INTERVAL_S + 3


@pytest.fixture(scope="module")
def broker() -> Iterator[DevBroker]:
    with DevBroker() as running:
        yield running


@pytest.fixture(scope="module")
def stack(broker: DevBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = StackOptions(
        bootstrap_servers=broker.bootstrap_servers,
        directory=tmp_path_factory.mktemp("stack"),
        orchestrators=2,
        settings={"TOPIC_PREFIX": f"health-{uuid.uuid4().hex[:8]}", "REPORT_INTERVAL_S": str(INTERVAL_S)},
    )
    with Stack(options) as running:
        yield running


def asked(stack: Stack) -> httpx.Response:
    return httpx.get(f"{stack.api_url}/healthz", timeout=WAIT_S)


def await_health(stack: Stack, condition: Callable[[httpx.Response], bool], what: str) -> httpx.Response:
    """Return the first answer for which `condition` holds."""
    deadline = time.monotonic() + WAIT_S
    while not condition(answer := asked(stack)):
        assert time.monotonic() < deadline, f"not so that {what}: {answer.status_code} {answer.text}"
        time.sleep(0.2)  # the far side of HTTP has no event to wait for
    return answer


def await_well(stack: Stack) -> None:
    await_health(stack, lambda answer: answer.status_code == 200, "all is well")


def problems(answer: httpx.Response, code: str, process: str = "") -> list[dict[str, str]]:
    told: list[dict[str, str]] = answer.json().get("problems", [])
    return [one for one in told if one["code"] == code and one["process"].startswith(process)]


class Asking:
    """Asks for health all the time, from a thread of its own; a context manager."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.faults: list[str] = []
        """Calls that were not answered."""
        self.answers = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._done.wait(0.05):
            try:
                asked(self._stack)
            except httpx.HTTPError as error:
                self.faults.append(repr(error))
            else:
                self.answers += 1


def test_a_broker_that_restarts_does_not_end_the_api(stack: Stack, broker: DevBroker) -> None:
    await_well(stack)
    before = stack.supervisor.pid("api-0")
    with Asking(stack) as asking:
        for crash in (False, True, False, True):
            broker.kill() if crash else broker.restart()
            if crash:
                await_health(stack, lambda answer: answer.status_code == 503, "the outage is seen")
                broker.start()
            await_well(stack)
            assert stack.supervisor.pid("api-0") == before
    assert asking.faults == [], "the api answered all the time"
    assert asking.answers > 0


@pytest.mark.parametrize("process", ["router", "projector", "timekeeper"])
def test_a_process_that_falls_silent_is_missing_and_comes_back(stack: Stack, process: str) -> None:
    await_well(stack)
    stack.supervisor.kill(process, signal.SIGSTOP)
    try:
        await_health(
            stack, lambda answer: bool(problems(answer, "ORC-PROCESS-MISSING", f"{process}/0")), "it is missed"
        )
    finally:
        stack.supervisor.kill(process, signal.SIGCONT)
    await_well(stack)


def test_one_of_two_that_falls_silent_is_missing_by_name(stack: Stack) -> None:
    await_well(stack)
    stack.supervisor.kill("orchestrator-1", signal.SIGSTOP)
    try:
        answer = await_health(
            stack, lambda answer: bool(problems(answer, "ORC-PROCESS-MISSING", "orchestrator/1")), "it is missed"
        )
        assert problems(answer, "ORC-PROCESS-MISSING", "orchestrator/0") == []
    finally:
        stack.supervisor.kill("orchestrator-1", signal.SIGCONT)
    await_well(stack)


def test_a_process_that_stops_in_order_is_not_missing(stack: Stack) -> None:
    await_well(stack)
    stack.supervisor.leave("orchestrator-1")
    try:
        topic = stack.settings.topics().name(Topic.PROCESSES)
        found = read_topics(stack.options.bootstrap_servers, [topic], "read_committed")
        newest = {message.key(): decode_process(message.value() or b"") for message in found}
        assert newest[b"orchestrator/1"].state is ProcessState.STOPPED
        until = time.monotonic() + BOUND_S + 2
        while time.monotonic() < until:
            assert problems(asked(stack), "ORC-PROCESS-MISSING", "orchestrator/1") == []
            time.sleep(0.2)
    finally:
        stack.supervisor.start("orchestrator-1")
    await_well(stack)


@pytest.mark.parametrize("topic", [Topic.ESSAYS_READY, Topic.INBOX, Topic.STATUS, Topic.HISTORY, Topic.PROCESSES])
def test_a_transaction_that_stays_open_is_named_until_it_ends(stack: Stack, topic: Topic) -> None:
    await_well(stack)
    name = stack.settings.topics().name(topic)
    producer = Producer(
        {**stack.settings.kafka(), "transactional.id": f"foreign-{uuid.uuid4()}", "transaction.timeout.ms": 600_000}
    )
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    written: list[Message] = []
    producer.produce(name, b"{}", b"key", partition=0, on_delivery=lambda _, message: written.append(message))
    assert producer.flush(WAIT_S) == 0
    try:
        answer = await_health(stack, lambda answer: bool(problems(answer, "ORC-OPEN-TRANSACTION")), "it is named")
        assert answer.status_code == 503
        [told] = problems(answer, "ORC-OPEN-TRANSACTION")
        assert f"{name}[0] has been open at offset {written[0].offset()} for" in told["message"]
        assert "find-hanging" in told["next_step"]
    finally:
        producer.abort_transaction(WAIT_S)
    await_well(stack)


def test_two_processes_with_one_instance_are_named_until_one_stops(stack: Stack) -> None:
    await_well(stack)
    values: dict[str, Any] = {**dict(stack.settings), "instance": "twin"}
    settings = type(stack.settings)(**values)
    health = ProcessHealth("orchestrator", grouped=False, clock=lambda: 0.0)
    with ProcessReporter("orchestrator", settings, health.report):
        with ProcessReporter("orchestrator", settings, health.report):
            answer = await_health(stack, lambda answer: bool(problems(answer, "ORC-INSTANCE-TWICE")), "they are named")
            assert len(problems(answer, "ORC-INSTANCE-TWICE", "orchestrator/twin")) == 2
        await_well(stack)
    await_well(stack)
