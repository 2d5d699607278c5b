"""A record that really ends the process each time, on a real Kafka: it is quarantined, and all others are used once."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.broker import Kafka
from schemas.internal.dead_letters import parse_dead_letter
from schemas.internal.enums import Disposition, ReasonCode
from schemas.internal.records import decode_history, decode_inbox
from schemas.topics import Topic
from tests.integration.orchestrating import Site
from tests.integration.processes import Log, RunningProcess, header_map, provisioned, ready_event, send
from tests.patience import await_that
from tests.topology.records import life, record, register, uuid_of
from topology.stream.crash_guard import SUSPECT_ENDS, UNCLEAN_ENDS

EXITS, FAULTS = uuid_of("exits"), uuid_of("segmentation fault")
BATCHES = (uuid_of("first"), EXITS, uuid_of("second"), FAULTS, uuid_of("third"))
POISONED_DECISIONS = f"""
import ctypes, os
from functools import partial
from state.decision.decide import decide
from topology.orchestrator import app

def poisoned(batch, event):
    if event.origin.event_type == "essays_ready":
        if event.batch_id == "{EXITS}":
            os._exit(1)
        if event.batch_id == "{FAULTS}":
            ctypes.string_at(0)
    return decide(batch, event)

app.build = partial(app.build, decide=poisoned)
"""
POISONED_TRANSFORM = """
import os

class Poisoned(app.RecordTransform):
    def apply(self, topic, at, key, value, headers):
        if value is not None and b"poison" in value:
            os._exit(1)
        return super().apply(topic, at, key, value, headers)

app.RecordTransform = Poisoned
"""


@pytest.fixture
def site(kafka: Kafka, tmp_path: Path) -> Iterator[Site]:
    with Site(kafka, tmp_path, topic_partitions=1) as made:
        yield made


def put_lives(site: Site) -> int:
    """Write the inbox records of all batches, and return how many they are."""
    registered = [record(batch_id, register(batch_id)) for batch_id in BATCHES]
    lives = [life(batch_id, version)[1:] for batch_id, (_, version) in zip(BATCHES, site.put(*registered), strict=True)]
    later = [event for events in zip(*lives, strict=True) for event in events]
    site.put(*later)
    return len(registered) + len(later)


def test_the_orchestrator_quarantines_what_ends_it_and_decides_all_else_once(site: Site) -> None:
    count = put_lives(site)
    deaths = 0
    process = site.start(beyond=POISONED_DECISIONS)

    def decided() -> bool:
        nonlocal deaths, process
        if not process.alive:
            deaths += 1
            assert deaths < 20, process.log()
            process = site.start(beyond=POISONED_DECISIONS)
        return len(site.read(Topic.HISTORY)) >= count

    await_that(decided, "everything is decided")
    histories = [decode_history(message.value() or b"") for message in site.read(Topic.HISTORY)]
    assert Counter(one.offset for one in histories) == dict.fromkeys(range(count), 1)
    quarantined = [one for one in histories if one.disposition is Disposition.QUARANTINED]
    assert {(one.batch_id, one.kind) for one in quarantined} == {(EXITS, "essays_ready"), (FAULTS, "essays_ready")}
    assert {one.reason.code for one in quarantined} == {ReasonCode.PROCESS_CRASHED}
    assert deaths >= UNCLEAN_ENDS + 2 * SUSPECT_ENDS  # more where a run commits something before it dies
    codes = [header_map(message)["code"] for message in site.await_records(2, Topic.DEAD_LETTERS)]
    assert codes == [b"ORC-PROCESS-CRASHED"] * 2
    assert process.alive


def test_the_router_quarantines_what_ends_it_and_routes_all_else(kafka: Kafka, tmp_path: Path) -> None:
    settings = provisioned(kafka, topic_partitions=1, state_dir=tmp_path)
    poison = json.dumps({"poison": True}).encode()
    values = [ready_event("before"), poison, ready_event("after")]
    send(settings, Topic.ESSAYS_READY, [{"value": value, "key": b"same"} for value in values])
    deaths = 0
    with Log(settings, Topic.DEAD_LETTERS) as letters, Log(settings, Topic.INBOX) as inbox:
        for _ in range(UNCLEAN_ENDS + SUSPECT_ENDS):
            with RunningProcess("router", settings, POISONED_TRANSFORM) as process:
                assert process.wait() == 1, process.errors
            deaths += 1
        with RunningProcess("router", settings, POISONED_TRANSFORM):
            [message] = letters.read(1)
            await_that(lambda: "after" in routed(inbox), "what comes after it is routed")
        letter = parse_dead_letter(message.key(), header_map(message), message.value())
        assert (letter.code, letter.value, letter.first.offset) == ("ORC-PROCESS-CRASHED", poison, 1)
        assert set(routed(inbox)) == {"before", "after"}


def routed(inbox: Log) -> list[str]:
    inbox.look()
    return [decode_inbox(message.value() or b"").batch_id for message in inbox.records]
