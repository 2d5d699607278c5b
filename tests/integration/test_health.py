"""/healthz on a real Kafka of its own: broker restarts, silent processes, open transactions, orderly stops."""

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import httpx
import pytest
from confluent_kafka import Message, Producer

from cli.broker import DevBroker
from cli.supervision.stack import Stack, StackOptions
from runtime.health import ProcessHealth
from runtime.process_report import ProcessReporter
from schemas.internal.processes import ProcessRecord, ProcessState
from schemas.internal.records import decode_process, process_outgoing
from schemas.topics import Topic
from tests.integration.orchestrating import read_topics
from tests.patience import PATIENCE_S

WAIT_S = PATIENCE_S
INTERVAL_S = 1.0


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
        for crash in (False, True):
            broker.kill() if crash else broker.restart()
            if crash:
                await_health(stack, lambda answer: answer.status_code == 503, "the outage is seen")
                broker.start()
            await_well(stack)
            assert stack.supervisor.pid("api-0") == before
    assert asking.faults == [], "the api answered all the time"
    assert asking.answers > 0


@contextmanager
def silent(stack: Stack, *processes: str) -> Iterator[None]:
    """Stop these processes for a while, as a machine that hangs does."""
    for process in processes:
        stack.supervisor.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            stack.supervisor.kill(process, signal.SIGCONT)


def test_processes_that_fall_silent_are_missing_by_name_and_come_back(stack: Stack) -> None:
    await_well(stack)
    names = {"router": "router/0", "projector": "projector/0", "timekeeper": "timekeeper/0"}
    names["orchestrator-1"] = "orchestrator/1"
    with silent(stack, *names):
        answer = await_health(
            stack,
            lambda answer: all(problems(answer, "ORC-PROCESS-MISSING", name) for name in names.values()),
            "they are missed",
        )
        assert problems(answer, "ORC-PROCESS-MISSING", "orchestrator/0") == []
    await_well(stack)


def newest_record(stack: Stack, name: str) -> ProcessRecord:
    """Return what a process has reported last."""
    topic = stack.settings.topics().name(Topic.PROCESSES)
    found = read_topics(stack.options.bootstrap_servers, [topic], "read_committed")
    own = [message.value() for message in found if message.key() == name.encode()]
    return decode_process(own[-1] or b"")


def test_a_process_that_stops_in_order_is_not_missing(stack: Stack) -> None:
    await_well(stack)

    def last() -> ProcessState:
        return newest_record(stack, "orchestrator/1").state

    deadline = time.monotonic() + WAIT_S
    stack.supervisor.leave("orchestrator-1")
    try:
        while last() is not ProcessState.STOPPED:
            # It lost its partitions to an earlier silence in the moment in which it was asked to stop, or it was
            # between two starts: then nothing of it stops in order, so it is asked again.
            assert time.monotonic() < deadline, "it never stopped in order"
            stack.supervisor.start("orchestrator-1")
            await_well(stack)
            stack.supervisor.leave("orchestrator-1")
        # One that falls silent after it is missed: by then it would be missed, too.
        with silent(stack, "timekeeper"):
            answer = await_health(
                stack, lambda answer: bool(problems(answer, "ORC-PROCESS-MISSING", "timekeeper/0")), "another is missed"
            )
            assert problems(answer, "ORC-PROCESS-MISSING", "orchestrator/1") == []
    finally:
        stack.supervisor.start("orchestrator-1")
    await_well(stack)


def test_a_process_that_was_removed_for_good_is_forgotten_on_request(stack: Stack) -> None:
    await_well(stack)
    values: dict[str, Any] = {**dict(stack.settings), "instance": "a/b"}
    health = ProcessHealth("orchestrator", grouped=False, clock=lambda: 0.0)
    removed = ProcessReporter("orchestrator", type(stack.settings)(**values), health.report)
    path = f"{stack.api_url}/v1/system/processes/orchestrator/a%2Fb"
    with removed:
        await_health(stack, lambda _: "orchestrator/a/b" in named(stack), "it is listed")
        refused = httpx.delete(path, timeout=WAIT_S)
        assert (refused.status_code, refused.json()["code"]) == (409, "ORC-PROCESS-LIVE")
        last = newest_record(stack, "orchestrator/a/b")
    # As if it had been killed: its last record says that it runs.
    producer = Producer(stack.settings.kafka())
    outgoing = process_outgoing(last)
    producer.produce(stack.settings.topics().name(Topic.PROCESSES), outgoing.value, outgoing.key)
    assert producer.flush(WAIT_S) == 0
    answer = await_health(
        stack, lambda answer: bool(problems(answer, "ORC-PROCESS-MISSING", "orchestrator/a/b")), "it is missed"
    )
    [problem] = problems(answer, "ORC-PROCESS-MISSING", "orchestrator/a/b")
    assert "bos system forget orchestrator/a/b" in problem["next_step"]
    assert httpx.delete(path, timeout=WAIT_S).status_code == 204
    assert "orchestrator/a/b" not in named(stack)
    await_well(stack)
    assert httpx.delete(path, timeout=WAIT_S).json()["code"] == "ORC-PROCESS-NOT-FOUND"


def named(stack: Stack) -> list[str]:
    """Return the processes that the api lists."""
    body = httpx.get(f"{stack.api_url}/v1/system", timeout=WAIT_S).json()
    return [process["process"] for process in body["processes"]]


@contextmanager
def open_transaction(stack: Stack, topic: str) -> Iterator[int]:
    """Keep a transaction open on the first partition; yields the offset of its record."""
    producer = Producer(
        {**stack.settings.kafka(), "transactional.id": f"foreign-{uuid.uuid4()}", "transaction.timeout.ms": 600_000}
    )
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    written: list[Message] = []
    producer.produce(topic, b"{}", b"key", partition=0, on_delivery=lambda _, message: written.append(message))
    assert producer.flush(WAIT_S) == 0
    try:
        yield written[0].offset() or 0
    finally:
        producer.abort_transaction(WAIT_S)


# One on the reports' own topic hides every report behind it, and with them what is open elsewhere.
@pytest.mark.parametrize(
    "topics",
    [(Topic.ESSAYS_READY, Topic.INBOX, Topic.STATUS, Topic.HISTORY), (Topic.PROCESSES,)],
    ids=["work", "reports"],
)
def test_transactions_that_stay_open_are_named_until_they_end(stack: Stack, topics: tuple[Topic, ...]) -> None:
    await_well(stack)
    names = [stack.settings.topics().name(topic) for topic in topics]
    with ExitStack() as opened:
        offsets = {name: opened.enter_context(open_transaction(stack, name)) for name in names}
        wanted = [f"{name}[0] has been open at offset {offset} for" for name, offset in offsets.items()]

        def all_named(answer: httpx.Response) -> bool:
            told = problems(answer, "ORC-OPEN-TRANSACTION")
            return all(any(words in one["message"] for one in told) for words in wanted)

        answer = await_health(stack, all_named, "they are named")
        assert answer.status_code == 503
        told = problems(answer, "ORC-OPEN-TRANSACTION")
        assert len(told) == len(topics)
        assert all("find-hanging" in one["next_step"] for one in told)
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
