"""Another process of the same name is proven by its reports alone, on a real Kafka."""

from functools import partial

import msgspec
import pytest

from cli.broker import Kafka
from runtime.kafka.twins import twin_reports
from runtime.settings import Settings
from schemas.internal.formats import PROCESS
from schemas.internal.processes import ProcessRecord, ProcessState
from schemas.internal.records import process_outgoing
from schemas.topics import Topic
from tests.integration.processes import provisioned, send
from tests.patience import await_that

WAIT_S = 0.5
ME = ProcessRecord(
    writer=PROCESS.version,
    least_reader=PROCESS.least_reader,
    kind="router",
    instance="0",
    start_id="me",
    state=ProcessState.RUNNING,
    host="here",
    pid=1,
    version="1",
    settings_digest="",
    started_ms=0,
    time_ms=10_000,
    interval_s=3.0,
)


def report(start_id: str, time_ms: int, **facts: object) -> ProcessRecord:
    return msgspec.structs.replace(ME, start_id=start_id, time_ms=time_ms, **facts)


@pytest.fixture(scope="module")
def settings(kafka: Kafka) -> Settings:
    return provisioned(kafka)


HISTORIES: dict[str, tuple[bool, list[ProcessRecord]]] = {
    "alone": (False, [report("me", 10_000), report("me", 13_000)]),
    "after a predecessor": (False, [report("before", 1_000), report("before", 4_000), report("me", 10_000)]),
    "late reports of a predecessor": (False, [report("me", 10_000), report("before", 4_000), report("before", 4_100)]),
    "its end, told late": (
        False,
        [report("me", 1), report("before", 1_000), report("before", 9_000, state=ProcessState.FAILED)],
    ),
    "a twin": (True, [report("me", 10_000), report("twin", 11_000), report("me", 13_000), report("twin", 14_000)]),
    "another instance": (False, [report("me", 1), report("o", 2, instance="1"), report("o", 9_000, instance="1")]),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_only_a_live_process_of_the_same_name_is_a_twin(settings: Settings, name: str) -> None:
    expected, records = HISTORIES[name]
    kind = f"router-{name}".replace(" ", "-")  # a name of its own on the shared topic
    outgoing = [process_outgoing(msgspec.structs.replace(record, kind=kind)) for record in records]
    send(settings, Topic.PROCESSES, [{"key": one.key, "value": one.value} for one in outgoing])
    topic = settings.topics().name(Topic.PROCESSES)
    key = msgspec.structs.replace(ME, kind=kind).name
    look = partial(twin_reports, settings.kafka(), topic, key, "me", wait_s=WAIT_S)
    if expected:
        await_that(look, "the twin is seen")  # on a busy machine one reading of the topic can fail
    else:
        assert not look()


def test_a_cluster_that_does_not_answer_proves_nothing() -> None:
    kafka = {"bootstrap.servers": "127.0.0.1:1"}
    assert twin_reports(kafka, "any", "router/0", "me", wait_s=WAIT_S) is False
