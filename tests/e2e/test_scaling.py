"""Orchestrators share the partitions; they come and go under load, and nothing is lost or done twice."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from cli.broker import Kafka
from cli.supervision.stack import Stack
from cli.verifier import read_topic, verify
from peers import PeerOptions, Peers
from schemas.topics import Topic
from tests.e2e.conftest import StartStack
from tests.e2e.http import call, register
from tests.integration.processes import await_that

BATCHES = 160


def readiness(stack: Stack, name: str) -> dict[str, object]:
    try:
        _, report = call("GET", f"http://127.0.0.1:{stack.metrics_ports[name]}/readyz")
    except OSError:
        return {}
    return report


def test_a_third_orchestrator_joins_and_leaves_under_load(kafka: Kafka, start_stack: StartStack) -> None:
    stack = start_stack(orchestrators=2)
    options = PeerOptions(topic_prefix=stack.settings.topic_prefix, latency=(0.2, 1.0), repeat_rate=0.2)
    registered = Counter[str]()
    with Peers(options, kafka.bootstrap_servers) as peers, ThreadPoolExecutor(4) as clients:
        enough = threading.Event()

        def client(number: int) -> None:
            answer = register(stack.api_url, f"scaling-{number}")
            registered[answer["batch_id"]] += 1
            if len(registered) >= BATCHES // 3:
                enough.set()

        calls = [clients.submit(client, number) for number in range(BATCHES)]
        await_that(enough.is_set, "a third of the batches is registered", 60)
        stack.supervisor.add(stack.orchestrator_spec(2))
        await_that(lambda: readiness(stack, "orchestrator-2").get("status") == "ok", "the third has joined", 60)
        stack.supervisor.leave("orchestrator-2")
        for call in calls:
            call.result()
        assert peers.wait_completed(BATCHES, timeout=120), peers.report().counts
        assert peers.report().complaints == ()
    settings = stack.settings
    findings = verify(settings.kafka(), settings.topics(), patience=15)
    assert findings.problems == []
    assert findings.batches == BATCHES
    carried = Counter(record.partition for record in read_topic(settings.kafka(), settings.topics().name(Topic.INBOX)))
    assert set(carried) == set(range(settings.topic_partitions)), "not every partition carried traffic"
    assert all(stack.supervisor.restarts[f"orchestrator-{number}"] == 0 for number in range(3))
