"""What the orchestrator's metrics and health say about a run."""

from pathlib import Path
from typing import Any

from runtime.health import ProcessHealth
from runtime.metrics import Metrics
from schemas.topics import Topic
from tests.topology.scenario import decide_with_a_fault, written
from topology.orchestrator.metrics import DecisionMetrics


def test_decisions_records_dead_letters_and_commits_are_counted(in_memory: Path) -> None:
    driver = written(in_memory)
    metrics, health = Metrics("orchestrator"), ProcessHealth("orchestrator")
    observe = DecisionMetrics(metrics, health, driver.kafka.table.name(Topic.INBOX))
    driver.run(every=1, decide=decide_with_a_fault, observe=observe, on_commit=metrics.commit_seconds.observe)
    body, _ = metrics.exposition()
    told = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    name = "batch_orchestrator_decisions_total"
    assert float(told[f'{name}{{disposition="applied",kind="register"}}']) == 2
    assert float(told[f'{name}{{disposition="quarantined",kind="essays_ready"}}']) == 1
    assert float(told[f'{name}{{disposition="quarantined",kind="unreadable"}}']) == 1
    assert float(told['batch_orchestrator_dead_letters_total{code="ORC-UNKNOWN-BATCH"}']) == 1
    inbox = len(driver.kafka.read(Topic.INBOX))
    assert float(told[f'batch_orchestrator_records_read_total{{topic="{Topic.INBOX}"}}']) == inbox
    assert float(told[f'batch_orchestrator_records_written_total{{topic="{Topic.HISTORY}"}}']) == inbox
    assert float(told["batch_orchestrator_commit_seconds_count"]) == inbox


def test_it_is_restored_once_the_changelog_has_been_read_back(in_memory: Path) -> None:
    driver = written(in_memory)
    driver.run(decide=decide_with_a_fault)
    driver.lose_state()
    seen: list[bool] = []
    running: list[Any] = []

    def observe(_: object) -> None:
        seen.append(running[0].restored())

    application = driver.application(observe=observe)
    running.append(application)
    recover = application._state_manager.do_recovery

    def watched() -> None:
        seen.append(application.restored())
        recover()

    application._state_manager.do_recovery = watched
    driver.put_lives("another")
    application.run()
    assert seen == [False, True, True, True, True]
