"""A process reports itself from a thread of its own, and nothing of that is in its way."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.health import ProcessHealth, ProcessHealthReport
from runtime.kafka.report_producer import KafkaReportProducer
from runtime.process_report import ProcessReporter, settings_digest
from runtime.settings import Settings
from schemas.errors import Code, StateError
from schemas.internal.processes import ProcessRecord, ProcessState
from schemas.internal.records import decode_process

WAIT_S = 120.0


class Written:
    """Keeps what was written; `fault` is raised for each record instead."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.records: list[ProcessRecord] = []
        self.keys: set[bytes] = set()
        self.tried = 0
        self._fault = fault
        self._arrived = threading.Condition()

    def send(self, key: bytes, value: bytes) -> None:
        with self._arrived:
            self.tried += 1
            self._arrived.notify_all()
            if self._fault is not None:
                raise self._fault
            self.keys.add(key)
            self.records.append(decode_process(value))

    def close(self, key: bytes, value: bytes, timeout_s: float) -> None:  # noqa: ARG002
        self._fault = None
        self.send(key, value)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self._arrived:
            assert self._arrived.wait_for(condition, WAIT_S)


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **{"report_interval_s": 0.01, "instance": "7", **given})


def test_it_reports_until_it_stops_and_says_that_it_has() -> None:
    written, health = Written(), ProcessHealth("router")
    with ProcessReporter("router", settings(), health.report, producer=written):
        written.wait_for(lambda: len(written.records) >= 3)
    assert written.keys == {b"router/7"}
    assert {record.state for record in written.records[:-1]} == {ProcessState.RUNNING}
    assert written.records[-1].state is ProcessState.STOPPED
    assert len({record.start_id for record in written.records}) == 1
    assert "rebalancing" in written.records[0].problems[0].message


def test_what_changes_is_told_before_the_interval_is_over() -> None:
    written, health = Written(), ProcessHealth("router")
    with ProcessReporter("router", settings(report_interval_s=60), health.report, producer=written):
        written.wait_for(lambda: len(written.records) == 1)
        health.on_statistics('{"cgrp": {"join_state": "steady"}}')
        written.wait_for(lambda: len(written.records) == 2)
        assert written.records[1].assigned


def test_an_end_by_an_error_is_told_with_its_code() -> None:
    written = Written()
    error = StateError("The state is foreign.", next_step="Use another directory.")
    reporter = ProcessReporter("orchestrator", settings(), ProcessHealth("orchestrator").report, producer=written)
    with pytest.raises(RuntimeError), reporter:
        raise RuntimeError("wrapped") from error
    assert written.records[-1].state is ProcessState.FAILED
    assert [one.code for one in written.records[-1].problems] == ["ORC-STATE"]


def test_the_end_of_a_process_that_leaves_no_context_is_told() -> None:
    written = Written()
    with ProcessReporter("router", settings(), ProcessHealth("router").report, producer=written):
        written.wait_for(lambda: bool(written.records))
        ProcessReporter.tell_end(StateError("They were lost.", code=Code.PARTITIONS_LOST, next_step="None."), WAIT_S)
        assert written.records[-1].state is ProcessState.FAILED
        assert [one.code for one in written.records[-1].problems] == ["ORC-PARTITIONS-LOST"]


def test_the_text_of_an_error_that_nobody_foresaw_is_not_told() -> None:
    written = Written()
    with (
        pytest.raises(ZeroDivisionError),
        ProcessReporter("router", settings(), ProcessHealth("router").report, producer=written),
    ):
        raise ZeroDivisionError("postgresql://user:password@host")
    assert "password" not in str(written.records[-1])


@pytest.mark.parametrize("broken", ["report", "producer"])
def test_no_error_of_it_ends_the_reports(broken: str) -> None:
    asked: list[int] = []

    def report() -> ProcessHealthReport:
        asked.append(1)
        if broken == "report" and len(asked) < 3:
            raise ZeroDivisionError
        return ProcessHealth("router").report()

    written = Written(OSError() if broken == "producer" else None)
    with ProcessReporter("router", settings(), report, producer=written):
        written.wait_for(lambda: written.tried >= 3)
    # The stop waits for the last record for a few seconds only; a slow machine writes it a little later.
    written.wait_for(lambda: bool(written.records) and written.records[-1].state is ProcessState.STOPPED)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_holds_up_neither_the_work_nor_the_stop() -> None:
    reporter = ProcessReporter(
        "router", settings(kafka_bootstrap_servers="127.0.0.1:1"), ProcessHealth("router").report
    )
    started = time.monotonic()
    with reporter:
        pass
    # By default the client would wait for five minutes. The stop itself waits for a few seconds.
    assert time.monotonic() - started < WAIT_S


@pytest.mark.slow
def test_what_is_wrong_is_told_once_for_each_record_that_is_not_written() -> None:
    told: list[str | None] = []
    producer = KafkaReportProducer({"bootstrap.servers": "127.0.0.1:1"}, "t", delivery_s=1.0, on_result=told.append)
    producer.send(b"k", b"v")
    producer.close(b"k", b"v", 1.0)
    assert len(told) == 2


def test_the_digest_is_of_what_processes_share_and_of_no_secret() -> None:
    alike = [
        settings(),
        settings(instance="8", metrics_port=9_100, log_level="DEBUG", state_dir="elsewhere"),
        settings(kafka_sasl_password="secret", kafka_extra={"a": "b"}, projection_url="postgresql://u:p@h/d"),
    ]
    assert len({settings_digest(one) for one in alike}) == 1
    assert settings_digest(settings(peer_era="seed")) != settings_digest(settings())


def test_the_digest_is_of_what_the_pipelines_file_holds_and_not_of_its_path(tmp_path: Path) -> None:
    ours, theirs, other = (tmp_path / name for name in ("ours.toml", "theirs.toml", "other.toml"))
    ours.write_text("a = 1", encoding="utf-8")
    theirs.write_text("a = 1", encoding="utf-8")
    other.write_text("a = 2", encoding="utf-8")
    assert settings_digest(settings(pipelines_file=ours)) == settings_digest(settings(pipelines_file=theirs))
    different = [settings_digest(settings(pipelines_file=each)) for each in (None, ours, other, tmp_path / "absent")]
    assert len(set(different)) == len(different)


def test_it_says_once_that_the_process_is_assigned_and_restored() -> None:
    written, health = Written(), ProcessHealth("router")
    restored, ready = threading.Event(), threading.Event()
    said: list[bool] = []

    def say() -> None:
        said.append(restored.is_set())
        ready.set()

    health.watch_restored(restored.is_set)
    with ProcessReporter("router", settings(), health.report, producer=written, ready=say):
        health.on_statistics('{"cgrp": {"join_state": "steady"}}')
        written.wait_for(lambda: any(record.assigned for record in written.records))
        restored.set()
        assert ready.wait(WAIT_S)
        seen = len(written.records)
        written.wait_for(lambda: len(written.records) > seen + 2)
    assert said == [True]
