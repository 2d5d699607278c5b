"""`bos batches cancel|pause|resume|retry` as an operator uses them: what is printed where, and the exit codes."""

import io
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from structlog.testing import capture_logs

from cli.main import main
from schemas.topics import Topic
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster
from tests.unit.api.serving import served


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


Bos = Callable[..., Done]


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> MemoryCluster:
    found = MemoryCluster()
    found.deciding = "undecided" not in request.fixturenames
    return found


@pytest.fixture
def undecided(cluster: MemoryCluster) -> MemoryCluster:
    """The cluster of a test in which nothing is decided: the api gives up at once, and never otherwise."""
    return cluster


@pytest.fixture
def url(cluster: MemoryCluster) -> Iterator[str]:
    timeout_s = PATIENCE_S if cluster.deciding else 0.05
    with (
        capture_logs(),
        served(cluster, response_timeout_s=timeout_s) as url,
    ):  # the server's logs are not the command's
        yield url


@pytest.fixture
def bos(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bos:
    monkeypatch.setenv("BOS_URL", url)

    def run(*arguments: str, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["bos", "batches", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Done(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def batch_id(url: str) -> str:
    return registered(url)


def registered(url: str) -> str:
    response = httpx.post(f"{url}/v1/batches/register", json=seed_body(), timeout=PATIENCE_S).raise_for_status()
    return str(response.json()["batch_id"])


def last_request(cluster: MemoryCluster) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(cluster.requests[-1][1])["data"]
    return data


@pytest.mark.parametrize(
    ("arguments", "kind", "body"),
    [
        (["cancel"], "cancel", {}),
        (["pause", "--reason", "exam"], "pause", {"reason": "exam"}),
        (["resume", "--if-version", "7"], "resume", {"if_version": 7}),
        (["retry", "--from", "nlp"], "retry", {"phase": "nlp", "essays": "failed"}),
        (["retry", "--from", "nlp", "--failed-essays"], "retry", {"phase": "nlp", "essays": "failed"}),
        (["retry", "--from", "nlp", "--all-essays"], "retry", {"phase": "nlp", "essays": "all"}),
        (["retry", "--from", "nlp", "--essay", "a", "--essay", "b"], "retry", {"phase": "nlp", "essays": ["a", "b"]}),
    ],
)
def test_the_options_become_the_request_and_an_undecided_one_exits_with_6(
    bos: Bos, undecided: MemoryCluster, arguments: list[str], kind: str, body: dict[str, Any]
) -> None:
    done = bos(*arguments, "a/b", "--key", "my-key")
    request = last_request(undecided)
    assert (request["kind"], request["batch_id"], request["body"]) == (kind, "a/b", body)
    assert done.code == 6
    assert "durable" in done.err
    assert "--key my-key" in done.err
    assert "undecided" in done.out


@pytest.mark.parametrize("batch_id", ["a/b", "..", "%2F", "?#", "å b"])
def test_the_id_is_asked_for_as_it_is(bos: Bos, undecided: MemoryCluster, batch_id: str) -> None:
    bos("cancel", batch_id)
    assert last_request(undecided)["batch_id"] == batch_id
    assert bos("cancel", batch_id, "--dry-run").code == 3


@pytest.mark.parametrize(("answer", "code"), [("n\n", 130), ("y\n", 8)])
def test_a_person_is_asked_before_several_batches_are_changed(
    bos: Bos, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("cli.commands.control._at_a_terminal", lambda: True)
    done = bos("cancel", "a", "b", stdin=answer)
    assert (done.code, "Cancel 2 batches?" in done.err) == (code, True)
    assert len(decided_batches(cluster)) == (0 if code == 130 else 2)
    assert "?" not in bos("cancel", "c", "d", "--yes").err
    assert "batches?" not in bos("cancel", "e").err


def decided_batches(cluster: MemoryCluster) -> set[str]:
    """Return the ids of the batches about which something was decided."""
    logs = (log for partition, log in cluster.logs.items() if partition.topic is Topic.HISTORY)
    return {record.key.decode() for log in logs for record in log}


def test_a_repeat_with_the_key_is_the_same_request(bos: Bos, undecided: MemoryCluster) -> None:
    bos("cancel", "b", "--key", "k")
    bos("cancel", "b", "--key", "k")
    bos("cancel", "b")
    first, second, third = (json.loads(value)["data"]["request_id"] for _, value in undecided.requests)
    assert first == second != third


def test_an_unknown_batch_exits_with_3(bos: Bos) -> None:
    done = bos("cancel", "nobody")
    assert done.code == 3
    assert "ORC-BATCH-NOT-FOUND" in done.err
    assert "Next step" in done.err
    assert "not found" in done.out


def test_without_an_api_it_exits_with_6_and_says_what_to_do(bos: Bos) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        done = bos("cancel", "b", "--url", f"http://127.0.0.1:{nobody_listens.getsockname()[1]}")
    assert done.code == 6
    assert "ORC-HTTP" in done.err
    assert "bos dev" in done.err


def test_a_batch_is_paused_resumed_and_cancelled(bos: Bos, batch_id: str) -> None:
    paused = bos("pause", batch_id, "--reason", "exam", "-o", "json", "--key", "k")
    assert paused.code == 0, paused.err
    body = json.loads(paused.out)
    assert (body["disposition"], body["reason"], body["batch_id"]) == ("applied", "batch_paused", batch_id)
    assert "(paused)" in bos("status", batch_id).out
    again = bos("pause", batch_id, "--reason", "exam", "--key", "k")
    assert (again.code, again.out.splitlines()[1].split()[0]) == (0, "repeated")
    refused = bos("pause", batch_id)
    assert (refused.code, "already_paused" in refused.out, "Next step" in refused.err) == (4, True, True)
    changed = bos("resume", batch_id, "--if-version", str(body["version"] + 1), "-o", "json")
    assert (changed.code, json.loads(changed.out)["code"]) == (4, "ORC-VERSION-CHANGED")
    assert bos("resume", batch_id, "--if-version", str(body["version"])).code == 0
    done = bos("cancel", batch_id, "-o", "name")
    assert (done.code, done.out) == (0, f"{batch_id}\n")
    ended = bos("wait", batch_id, "--exit-status")
    assert (ended.code, ended.out.split(":")[0]) == (1, "cancelled")
    assert bos("wait", batch_id).code == 0


def test_of_several_batches_some_can_be_refused(bos: Bos, url: str, batch_id: str) -> None:
    others = [registered(url) for _ in range(9)]
    assert bos("cancel", batch_id).code == 0
    preview = bos("cancel", "-", "--dry-run", "-o", "jsonl", stdin="\n".join([batch_id, *others]))
    dispositions = sorted(json.loads(line)["disposition"] for line in preview.out.splitlines())
    assert (preview.code, dispositions) == (8, ["applied"] * 9 + ["refused"])
    assert "9 would be applied, 1 would be refused. 0 commands, 0 essays. Nothing was sent." in preview.err
    done = bos("cancel", "-", "-o", "name", stdin="\n".join([batch_id, *others]))
    assert (done.code, sorted(done.out.split())) == (8, sorted(others))
    assert "9 applied, 1 refused." in done.err


def test_several_requests_end_when_the_api_is_not_reached(bos: Bos) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        done = bos("cancel", *map(str, range(1_000)), "--url", url)
    assert done.code == 6
    assert done.err.count("Next step") < 100
    assert "more were not sent" in done.err


def test_a_refused_preview_exits_with_4_and_sends_nothing(bos: Bos, cluster: MemoryCluster, batch_id: str) -> None:
    cluster.deciding = False
    done = bos("resume", batch_id, "--dry-run")
    assert done.code == 4
    assert "would be refused" in done.out
    assert "Nothing was sent." in done.err
    assert cluster.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["cancel"],
        ["retry", "b"],
        ["retry", "b", "--from", "nlp", "--all-essays", "--failed-essays"],
        ["retry", "b", "--from", "nlp", "--all-essays", "--essay", "e"],
        ["cancel", "a", "b", "--if-version", "3"],
        ["cancel", "-"],
        ["cancel", "b", "--output", "xml"],
        ["cancel", "b", "--url", "ftp://127.0.0.1"],
        ["wait", "b", "--timeout", "soon"],
    ],
)
def test_a_wrong_command_line_exits_with_2_and_sends_nothing(
    bos: Bos, cluster: MemoryCluster, arguments: list[str]
) -> None:
    done = bos(*arguments)
    assert done.code == 2, done
    assert cluster.requests == []


def test_a_body_that_the_api_refuses_exits_with_2(bos: Bos) -> None:
    done = bos("cancel", "b", "--reason", "x" * 501)
    assert done.code == 2
    assert "ORC-REQUEST-BODY" in done.err


@pytest.mark.parametrize("arguments", [["status", ""], ["history", ""], ["watch", ""], ["cancel", "b", ""]])
def test_an_empty_id_is_no_request(bos: Bos, cluster: MemoryCluster, arguments: list[str]) -> None:
    done = bos(*arguments)
    assert (done.code, done.out, "an id is empty" in done.err) == (2, "", True)
    assert not cluster.requests


def test_a_registration_without_an_answer_names_the_key_to_repeat_it_with(bos: Bos, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text(json.dumps(seed_body()))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    done = bos("register", str(body), "--key", "class-9a", "--url", url)
    assert done.code == 6
    assert done.err.rstrip().endswith("Repeat it with --key class-9a.")
    assert ".." not in done.err


def test_ids_come_from_standard_input_each_once(bos: Bos, cluster: MemoryCluster) -> None:
    done = bos("cancel", "-", "c", "-o", "jsonl", stdin="a\n\n  b \na\n")
    asked = [json.loads(line)["batch_id"] for line in done.out.splitlines()]
    assert sorted(asked) == ["a", "b", "c"]
    assert done.code == 8
    assert "3 not found." in done.err


def test_get_and_status_show_a_batch_and_wait_gives_up_in_time(bos: Bos, batch_id: str) -> None:
    assert json.loads(bos("get", batch_id).out)["batch_id"] == batch_id
    assert bos("status", batch_id).out.startswith("awaiting_content_validation: spellcheck pending_dependencies")
    assert bos("status", batch_id, "-o", "name").out == f"{batch_id}\n"
    assert bos("get", "nobody").code == 3
    done = bos("wait", batch_id, "--timeout", "50ms")
    assert (done.code, done.out) == (7, "")
    assert "50ms" in done.err


@pytest.mark.slow
def test_an_interrupted_command_exits_with_130(cluster: MemoryCluster) -> None:
    cluster.deciding = False
    with served(cluster, response_timeout_s=600.0) as url:
        # Where the tests run in the background of a shell, the signal is ignored, also by what they start.
        heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
        patient = f"import cli.api_client; cli.api_client._TIMEOUT_S = {PATIENCE_S}; from cli.main import main; main()"
        command = [sys.executable, "-c", f"{heeds}; {patient}", "batches", "cancel", "b", "--url", url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            await_that(lambda: bool(cluster.requests), "the request is written")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE_S)
        cluster.decide_all()
    assert process.returncode == 130, err
    assert "Traceback" not in err
