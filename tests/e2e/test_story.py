"""The story of docs/guide by commands alone, on a real Kafka: stuck batches are found, understood, retried, finished.

The workers' first attempt at `grammar` fails as a whole, and the second is sound: no command depends on how fast
either is. HuleEdu's peers report the content of the batches only.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from cli.supervision.stack import Stack
from peers.options import PeerOptions
from peers.playing import Peers
from peers.workers import OUTCOMES, WorkerOptions, Workers
from runtime.settings import ENV_PREFIX
from tests.e2e.conftest import StartStack
from tests.e2e.http import BODY
from tests.patience import PATIENCE_S, await_that

PIPELINES = """
default = "essays"

[[pipelines]]
name = "essays"
version = 1

[[pipelines.phases]]
name = "grammar"
payload = "generic"
on_failure = "hold"

[[pipelines.phases]]
name = "feedback"
payload = "generic"
after = ["grammar"]
"""
PHASES = ("grammar", "feedback")
WITHOUT_A_HOLD = PIPELINES.replace('on_failure = "hold"\n', "")
COMPLETE = {"expected": 5, "ready": 5, "unaccounted": 0, "succeeded": 5, "failed": 0}


class Shell:
    """Runs `bos` at one api, as a person with a terminal would, and nothing else of the product."""

    def __init__(self, url: str, home: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith((ENV_PREFIX, "BOS_"))}
        self._environment = {**inherited, "BOS_URL": url, "BOS_CONFIG_HOME": str(home), "NO_COLOR": "1"}

    def __call__(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        """Return what a command prints, its notes too; it must end with `code`."""
        done = self._run(arguments, code, stdin)
        return done.stdout + done.stderr

    def _run(self, arguments: tuple[str, ...], code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str) -> Any:
        """Return the data that a command prints, without its notes."""
        return json.loads(self._run((*arguments, "-o", "json")).stdout)

    def names(self, *arguments: str) -> set[str]:
        """Return the ids that a command prints, without its notes."""
        return set(self._run((*arguments, "-o", "name")).stdout.split())

    def listed(self, *filters: str) -> set[str]:
        """Return the ids of the batches in a list."""
        return self.names("batches", "list", *filters)


@contextmanager
def played(stack: Stack) -> Iterator[None]:
    """Play the peers that report content, and the workers of both phases."""
    prefix, servers = stack.settings.topic_prefix, stack.settings.kafka_bootstrap_servers
    peers = PeerOptions(topic_prefix=prefix, judges_ends=False)
    topics = {phase: f"{prefix}.batch.phase.{phase}.command.v1" for phase in PHASES}
    broken = frozenset({"grammar"})
    workers = WorkerOptions(topics=topics, topic_prefix=prefix, broken_rate=1.0, broken=broken)
    with Peers(peers, servers), Workers(workers, servers):
        yield


@pytest.fixture
def stack(start_stack: StartStack, tmp_path: Path) -> Iterator[Stack]:
    pipelines = tmp_path / "pipelines.toml"
    pipelines.write_text(PIPELINES)
    started = start_stack(settings={"PIPELINES_FILE": str(pipelines)})
    with played(started):
        yield started


def test_stuck_batches_are_found_understood_retried_and_finished(stack: Stack, tmp_path: Path) -> None:
    bos = Shell(stack.api_url, tmp_path)
    batch_ids = [registered(bos, f"story-{number}") for number in range(3)]
    one, *others = batch_ids
    assert registered(bos, "story-0") == one
    found(bos, batch_ids)
    understood(bos, one, tmp_path)
    retried(bos, one)
    finished(bos, one)
    retried_by_filter(bos, others)
    assert bos.listed("--ended", "--status", "completed_successfully") == set(batch_ids)
    assert bos.listed("--attention") == set()
    what_did_not_arrive(bos, stack)


def registered(bos: Shell, key: str) -> str:
    """A client registers a batch; a repeat with the same key gives the same batch."""
    answer: dict[str, str] = json.loads(bos("batches", "register", "-", "--key", key, stdin=json.dumps(BODY)))
    return answer["batch_id"]


def found(bos: Shell, batch_ids: list[str]) -> None:
    """Whoever is paged sees which batches need a person, and for what."""
    await_that(lambda: bos.listed("--attention") == set(batch_ids), "every batch needs a person")
    shown = bos("batches", "list", "--filter", "held=yes&course=ENG5", "-o", "wide")
    assert shown.count("a person: grammar is held") == len(batch_ids)
    assert f"{len(batch_ids)} batches. As of" in shown
    assert "grammar" in bos("stats")
    assert "orchestrator" in bos("system", "status")


def understood(bos: Shell, batch_id: str, directory: Path) -> None:
    """The reason, what can be done, how it came there, and that the record of it is whole."""
    short = batch_id[:8]
    why = bos("batches", "why", short)
    assert "grammar is held for a person: the peer reported failure, 5 of 5 essays lost" in why
    assert f"you can: bos batches retry {batch_id} --from grammar" in why

    def decisions() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = bos.json("batches", "history", short)["decisions"]
        return found

    await_that(lambda: len(decisions()) >= 4, "the history is projected")
    history = decisions()
    assert sorted(each["disposition"] for each in history) == [*["applied"] * 3, "duplicate"], "it was registered twice"
    applied = [each for each in history if each["disposition"] == "applied"]
    assert "grammar failed and is held for a person" in applied[-1]["sentence"]
    first, last = applied[0]["version"], applied[-1]["version"]
    assert bos.json("batches", "get", short, "--at", str(first))["status"] == "awaiting_content_validation"
    assert "pipeline_state.grammar.status" in bos("batches", "diff", short, str(first), str(last))
    assert "state identical, chain whole" in bos("batches", "replay", short)
    other = directory / "other.toml"
    other.write_text(WITHOUT_A_HOLD)
    what_if = bos("batches", "what-if", short, "--pipelines", str(other))
    assert "the batch would be failed_critically, and is processing_pipelines" in what_if


def retried(bos: Shell, batch_id: str) -> None:
    """What cannot be done is refused with its reason; a preview sends nothing; then the action is taken."""
    short = batch_id[:8]
    bos("batches", "retry", short, "--from", "feedback", code=4)  # it has not run
    version = bos.json("batches", "get", short)["version"]
    again = ("batches", "retry", short, "--from", "grammar", "--reason", "the worker runs again")
    bos(*again, "--if-version", str(version - 1), code=4)  # it changed since
    preview = bos(*again, "--dry-run")
    assert "would be applied" in preview
    assert "1 command, 5 essays. Nothing was sent." in preview
    assert "applied" in bos(*again, "--if-version", str(version))


def finished(bos: Shell, batch_id: str) -> None:
    """It ends well, and its history tells who had it run again, and why."""
    short = batch_id[:8]
    ended = bos.json("batches", "wait", short, "--exit-status")
    assert ended["status"] == "completed_successfully"
    assert ended["counts"] == COMPLETE
    assert ended["pipeline_state"]["grammar"]["attempt"] == 2
    await_that(lambda: "the worker runs again" in bos("batches", "history", short, "-o", "json"), "who did it is told")
    assert "state identical, chain whole" in bos("batches", "replay", short)
    bos("batches", "cancel", short, "--reason", "too late", code=4)


def retried_by_filter(bos: Shell, batch_ids: list[str]) -> None:
    """All others that are held at once, as an operation that tells what came of each."""
    await_that(lambda: bos.listed("--held") == set(batch_ids), "the list knows that the first is not held")
    retry = ("batches", "retry", "--filter", "held=yes", "--from", "grammar", "--reason", "the worker runs again")
    assert "applied" in bos(*retry, "--dry-run")
    bos(*retry, code=2)  # a script that does not say --yes
    result = bos(*retry, "--yes")
    assert f"{len(batch_ids)} of {len(batch_ids)} decided, {len(batch_ids)} applied, 0 not" in result
    assert bos.json("operations", "list")["operations"][0]["state"] == "finished"
    for batch_id in batch_ids:
        bos("batches", "wait", batch_id[:8], "--exit-status", "--timeout", f"{PATIENCE_S:g}s")
    await_that(lambda: bos.listed("--no-ended") == set(), "the list knows that they have ended")


def what_did_not_arrive(bos: Shell, stack: Stack) -> None:
    """A record that nobody can read is a dead letter: found by its code, previewed, discarded with a note."""
    producer = Producer({"bootstrap.servers": stack.settings.kafka_bootstrap_servers})
    producer.produce(f"{stack.settings.topic_prefix}.{OUTCOMES}", b"{not json")
    assert producer.flush(PATIENCE_S) == 0
    await_that(lambda: "ORC-NOT-JSON" in bos("dead-letters", "list", "--group"), "the letter is in a group")
    (letter,) = bos.names("dead-letters", "list")
    assert "{not json" in bos("dead-letters", "show", letter)
    assert "would become a dead letter again: ORC-NOT-JSON" in bos("dead-letters", "preview", letter)
    assert f"{letter}  discarded by" in bos("dead-letters", "discard", letter, "--note", "a typing error")
    await_that(lambda: letter not in bos.names("dead-letters", "list"), "the letter is not open any more")
