"""`bos demo` as a newcomer runs it, with hostile traffic in each era, and with a crash in the middle."""

import re
import subprocess
import sys

import pytest

HOSTILE = ("--failed", "0.05", "--repeats", "0.2", "--reorder", "--keyless", "--unaccounted", "0.01")


def demo(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", "demo", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1500, check=False)


@pytest.mark.parametrize("era", ["seed", "july", "head"])
def test_every_batch_ends_as_scripted_under_hostile_traffic(era: str, demo_environment: dict[str, str]) -> None:
    result = demo(demo_environment, "--era", era, "--batches", "40", *HOSTILE)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All 40 batches ended as scripted; the log is whole." in result.stdout
    dispositions = re.search(r"history records (\{.*?\})", " ".join(result.stdout.split()))
    assert dispositions is not None
    assert "'duplicate'" in dispositions[1], "no repeat reached the inbox, so the traffic was not hostile"


def test_whole_phases_may_fail(demo_environment: dict[str, str]) -> None:
    result = demo(demo_environment, "--batches", "30", "--critical", "0.3")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "failed_critically" in result.stdout


def test_the_orchestrator_is_killed_in_the_middle_of_a_transaction(demo_environment: dict[str, str]) -> None:
    result = demo(demo_environment, "--batches", "60", "--kill-orchestrator", "--repeats", "0.2")
    assert result.returncode == 0, result.stdout + result.stderr
    hit = re.search(
        r"SIGKILL of the orchestrator: (\d+); commands in the transaction that it left open: (\d+)",
        " ".join(result.stdout.split()),
    )
    assert hit is not None
    assert int(hit[1]) >= 1  # on a busy machine a kill can come behind the commit; then it kills again
    assert int(hit[2]) >= 1


def test_a_pipeline_of_generic_phases_comes_through_its_failures(demo_environment: dict[str, str]) -> None:
    arguments = ("--pipeline", "examples/pipelines.toml", "--batches", "20", "--failed", "0.1", "--held", "0.3")
    result = demo(demo_environment, *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "All 20 batches came through essays; the log is whole." in result.stdout
    told = " ".join(result.stdout.split())
    assert "grammar attempt 2: " in told, "no essay was tried again"
    held = re.search(r"held, and retried by the client: (\d+)", told)
    assert held is not None
    assert int(held[1]) >= 1


def test_batches_of_silent_peers_end_by_their_deadlines(demo_environment: dict[str, str]) -> None:
    result = demo(demo_environment, "--batches", "20", "--silent-peer")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Every batch ended by its deadline; only purges are armed." in result.stdout
    assert "phase_deadline_missed" in result.stdout
