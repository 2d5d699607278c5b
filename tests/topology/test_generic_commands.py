"""A pipeline whose phases exist by configuration alone runs through the router's models and the orchestrator."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.inbound.normalise import normalise
from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode
from schemas.internal.events import DeadlineReached, Principal, RetryPhase
from schemas.internal.outgoing import RecordPosition
from schemas.internal.records import decode_history, decode_status, inbox_outgoing
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from tests.topology.driver import Driver
from tests.topology.memory_kafka import MemoryKafka
from tests.topology.records import ready, record, register, uuid_of
from tests.topology.test_orchestrator import dead_letters
from topology.router.transform import registration_policy
from topology.topics.deployed import deployed_topics

pytestmark = pytest.mark.usefixtures("message_path")

BATCH = uuid_of("batch")
FILE = Path(__file__).parents[2] / "examples" / "pipelines.toml"
PHASES = ("normalise", "grammar", "style", "feedback")


@pytest.fixture
def driver(in_memory: Path) -> Driver:
    made = Driver(in_memory, pipelines_file=FILE)
    made.kafka = MemoryKafka(deployed_topics(made.settings))
    return made


def registered(driver: Driver) -> int:
    """Register the batch and make it ready; returns the version of the registration."""
    policy = registration_policy(driver.settings)
    assert policy.pipelines is not None
    body = register(BATCH, phases=PHASES)
    body = type(body)(
        **{
            **{name: getattr(body, name) for name in body.__struct_fields__},
            "pipeline": policy.pipelines.by_name["essays"],
        }
    )
    version = driver.put(record(BATCH, body))
    driver.put(record(BATCH, ready(BATCH, version)))
    return version


def commands(driver: Driver, phase: str) -> list[dict[str, Any]]:
    topic = driver.kafka.table.phase_command(phase)
    return [json.loads(one.value or b"")["data"] for one in driver.kafka.read(topic)]


def answer(
    driver: Driver, command: dict[str, Any], *, failed: dict[int, dict[str, Any]] | None = None, **fields: Any
) -> None:
    """Let a worker answer: its record goes through the router's models to the inbox.

    `failed` holds the failures of essays, by their place in the command.
    """
    data = {name: command[name] for name in ("batch_id", "phase", "attempt")}
    essays = [
        {"essay_id": essay["essay_id"], "text_storage_id": f"{command['phase']}-{essay['essay_id']}"}
        for essay in command["essays"]
    ]
    for number, failure in (failed or {}).items():
        essays[number] = {"essay_id": essays[number]["essay_id"], "failure": failure}
    data |= {"status": "completed_successfully", "essays": essays, **fields}
    value = json.dumps({"source_service": "worker", "data": data}).encode()
    at = RecordPosition(Topic.WORKER_OUTCOME.value, 0, len(driver.kafka.read(Topic.HISTORY)))
    policy = registration_policy(driver.settings)
    driver.put(inbox_outgoing(normalise(Topic.WORKER_OUTCOME, at, value, {}, policy)))


def last_status(driver: Driver) -> StatusRecord:
    return max(
        (decode_status(one.value or b"") for one in driver.kafka.read(Topic.STATUS)), key=lambda record: record.version
    )


def started(driver: Driver, *phases: str) -> dict[str, dict[str, Any]]:
    """Register the batch and let the phases up to `phases` succeed; returns the first command of each of these."""
    registered(driver)
    driver.run()
    answer(driver, commands(driver, "normalise")[0])
    driver.run()
    return {phase: commands(driver, phase)[0] for phase in phases}


def test_a_diamond_of_generic_phases_runs_to_its_end(driver: Driver) -> None:
    registered(driver)
    for phase in PHASES:
        driver.run()
        [command] = commands(driver, phase)
        assert (command["phase"], command["attempt"], command["pipeline"]) == (phase, 1, "essays")
        answer(driver, command)
    driver.run()
    last = last_status(driver)
    assert last.status is BatchStatus.COMPLETED_SUCCESSFULLY
    assert len(driver.kafka.read(Topic.COMPLETED)) == 1
    texts = {essay["text_storage_id"].partition("-")[0] for essay in commands(driver, "feedback")[0]["essays"]}
    assert texts <= {"grammar", "style"}


def test_the_history_names_the_topic_of_a_generic_command(driver: Driver) -> None:
    registered(driver)
    driver.run()
    [_, started] = [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]
    assert [note.topic for note in started.effects] == ["huleedu.batch.phase.normalise.command.v1"]


def test_a_command_on_an_unknown_topic_is_set_aside_and_its_batch_waits(driver: Driver) -> None:
    registered(driver)
    driver.settings = driver.settings.model_copy(update={"pipelines_file": None})
    driver.run()
    [letter] = dead_letters(driver)
    assert letter.code == "ORC-COMMAND-TOPIC"
    assert "huleedu.batch.phase.normalise.command.v1" in letter.reason
    [_, refused] = [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]
    assert refused.disposition is Disposition.QUARANTINED
    assert refused.version == refused.based_on


def test_a_command_too_large_for_its_topic_ends_the_batch(driver: Driver) -> None:
    driver.kafka.sizes[driver.kafka.table.phase_command("normalise")] = 1_500
    registered(driver)
    driver.run()
    last = last_status(driver)
    assert last.status is BatchStatus.FAILED_CRITICALLY
    [_, ended] = [decode_history(one.value or b"") for one in driver.kafka.read(Topic.HISTORY)]
    assert ended.reason.code is ReasonCode.OVERSIZED


def test_only_what_may_be_tried_again_is_commanded_again(driver: Driver) -> None:
    command = started(driver, "grammar")["grammar"]
    answer(driver, command, failed={0: {"reason": "busy"}, 1: {"reason": "no text", "retryable": False}})
    driver.run()
    waiting = last_status(driver)
    [due] = [deadline.due_ms for deadline in waiting.deadlines if deadline.kind is DeadlineKind.RETRY_BACKOFF]
    for number in range(3):  # each record is appended a second after the one before it
        driver.put(record(BATCH, DeadlineReached(due_ms=due), number))
    driver.run()
    [_, again] = commands(driver, "grammar")
    assert again["attempt"] == 2
    assert [essay["essay_id"] for essay in again["essays"]] == [command["essays"][0]["essay_id"]]
    assert again["correlation_id"] != command["correlation_id"]
    assert again["deadline"] > command["deadline"]


def test_an_outcome_that_says_so_is_not_tried_again(driver: Driver) -> None:
    command = started(driver, "grammar")["grammar"]
    answer(driver, command, failed={0: {"reason": "busy"}}, retryable=False)
    driver.run()
    assert last_status(driver).phases["grammar"].status is PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS


def test_a_held_phase_runs_again_when_a_person_asks_for_it(driver: Driver) -> None:
    running = started(driver, "grammar", "style")
    answer(driver, running["grammar"])
    answer(driver, running["style"], status="failed_critically", essays=[])
    driver.run()
    assert last_status(driver).phases["style"].status is PhaseStatus.HELD
    assert commands(driver, "feedback") == []
    request = RetryPhase(
        request_id="retry-1",
        principal=Principal(),
        correlation_id=uuid_of("retry"),
        fingerprint="1:retry",
        phase="style",
        essays="failed",
    )
    driver.put(record(BATCH, request))
    driver.run()
    [_, again] = commands(driver, "style")
    assert (again["attempt"], len(again["essays"])) == (2, 3)
    answer(driver, again)
    driver.run()
    assert len(commands(driver, "feedback")) == 1
