"""`bos dead-letters` as an operator uses it: what is printed where, and the exit codes."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from structlog.testing import capture_logs

from cli.main import main
from schemas.errors import Code
from schemas.internal.dead_letters import dead_letter
from schemas.internal.outgoing import RecordPosition
from schemas.topics import Topic
from tests.unit.api.memory import MemoryCluster
from tests.unit.api.serving import served


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


Bos = Callable[..., Done]


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def bos(cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Bos]:
    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["bos", "dead-letters", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Done(int(left.value.code or 0), out, err)

    with capture_logs(), served(cluster) as url:  # the server's logs are not the command's
        monkeypatch.setenv("BOS_URL", url)
        yield run


def put(cluster: MemoryCluster, *values: bytes | None, code: str = Code.NOT_JSON) -> list[str]:
    """Write a dead letter for each value, and return their ids."""
    ids = []
    for value in values:
        offset = sum(len(log) for log in cluster.logs.values())
        first = RecordPosition(Topic.ESSAYS_READY.value, 0, offset, 1_750_000_000_000)
        letter = dead_letter(value=value, key=None, first=first, code=code, reason="not JSON", traceback="line 1")
        cluster.append(letter)
        ids.append(letter.key.decode())
    return ids


def states(bos: Bos) -> list[str]:
    listed = bos("list", "--state", "all", "-o", "json")
    return sorted(letter["state"] for letter in json.loads(listed.out)["dead_letters"])


def test_open_letters_are_listed_and_grouped(bos: Bos, cluster: MemoryCluster) -> None:
    ids = put(cluster, b"x", b"y") + put(cluster, b"z", code=Code.FIELDS)
    listed = bos("list")
    assert (listed.code, len(listed.out.splitlines()), listed.err) == (0, 3, "")
    assert set(bos("list", "-o", "name").out.split()) == set(ids)
    assert bos("list", "--code", "ORC-FIELDS", "-o", "name").out.split() == ids[2:]
    grouped = bos("list", "--group").out.splitlines()
    assert [line.split()[:3:2] for line in grouped] == [["ORC-NOT-JSON", "2"], ["ORC-FIELDS", "1"]]
    limited = bos("list", "--limit", "1")
    assert len(limited.out.splitlines()) == 1
    assert "There are more" in limited.err


def test_a_letter_is_shown_with_its_bytes(bos: Bos, cluster: MemoryCluster) -> None:
    [letter_id] = put(cluster, b'{"a": 1}')
    shown = bos("show", letter_id)
    assert shown.code == 0
    assert "value (json, 8 bytes):" in shown.out
    assert "line 1" in shown.out
    assert json.loads(bos("show", letter_id, "-o", "json").out)["dead_letter_id"] == letter_id


def test_a_preview_says_what_a_replay_would_become(bos: Bos, cluster: MemoryCluster) -> None:
    [letter_id] = put(cluster, b"x")
    one = bos("preview", letter_id)
    assert (one.code, one.out.startswith("would become a dead letter again: ORC-NOT-JSON")) == (0, True)
    group = bos("preview", "--code", "ORC-NOT-JSON")
    assert group.err == "of 1: 1 would become dead letters again. Nothing was sent.\n"
    assert states(bos) == ["open"]


def test_one_letter_is_discarded_with_a_note(bos: Bos, cluster: MemoryCluster) -> None:
    [letter_id] = put(cluster, b"x")
    assert bos("discard", letter_id).code == 2
    done = bos("discard", letter_id, "--note", "a test of the peer")
    assert (done.code, done.out) == (0, f"{letter_id}  discarded by anonymous\n")
    assert "state_note: a test of the peer" in bos("show", letter_id).out
    again = bos("discard", letter_id, "--note", "again")
    assert (again.code, "ORC-LETTER-REFUSED" in again.err, again.out) == (4, True, "")


def test_a_script_must_say_yes_to_a_group_and_hears_the_count_first(bos: Bos, cluster: MemoryCluster) -> None:
    put(cluster, b"x", b"y")
    asked = bos("discard", "--code", "ORC-NOT-JSON", "--note", "n")
    assert (asked.code, asked.out, "2 dead letters found" in asked.err) == (2, "", True)
    assert states(bos) == ["open", "open"]
    done = bos("discard", "--code", "ORC-NOT-JSON", "--note", "n", "--yes", "--limit", "1")
    assert (done.code, done.err) == (0, "1 discarded, 0 refused.\n")
    assert states(bos) == ["discarded", "open"]


def test_a_group_of_which_some_are_refused_exits_with_8(bos: Bos, cluster: MemoryCluster) -> None:
    good, bad = put(cluster, b"x", None)
    done = bos("replay", "--topic", Topic.ESSAYS_READY.value, "--since", "9999d", "--yes")
    assert (done.code, done.err) == (8, "1 replayed, 1 refused.\n")
    assert done.out.startswith(f"{bad}  refused  ORC-LETTER-REFUSED")
    assert good not in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay"],
        ["preview", "--state", "open"],
        ["replay", "an-id", "--code", "ORC-X"],
        ["replay", "--since", "yesterday", "--yes"],
        ["list", "--state", "lost"],
        ["list", "--limit", "0"],
    ],
)
def test_a_wrong_command_line_exits_with_2(bos: Bos, arguments: list[str]) -> None:
    done = bos(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_an_unknown_letter_exits_with_3(bos: Bos) -> None:
    for command in ("show", "preview", "replay"):
        done = bos(command, "nothing")
        assert (done.code, "ORC-LETTER-NOT-FOUND" in done.err) == (3, True)


def test_no_letter_that_fits_is_no_failure(bos: Bos) -> None:
    done = bos("replay", "--code", "ORC-NOT-JSON", "--yes")
    assert (done.code, done.err) == (0, "No dead letter fits.\n")


def test_an_api_that_is_away_exits_with_6(bos: Bos, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    [letter_id] = put(cluster, b"x")
    cluster.unreachable = "no broker answers"
    assert bos("replay", letter_id).code == 6
    monkeypatch.setenv("BOS_URL", "http://127.0.0.1:9")
    assert bos("list").code == 6


@pytest.mark.parametrize("verb", ["show", "preview", "replay", "discard"])
def test_an_empty_id_is_no_request(bos: Bos, verb: str) -> None:
    done = bos(verb, "", *(["--note", "sent by a test"] if verb == "discard" else []))
    assert (done.code, done.out, "an id is empty" in done.err) == (2, "", True)


def test_what_the_api_refuses_is_told_in_whole_sentences(bos: Bos) -> None:
    done = bos("list", "--state", "lost")
    assert done.code == 2
    assert "'open', 'replayed' or 'discarded'. Next step: " in done.err


def test_what_a_record_holds_does_not_steer_the_terminal(bos: Bos, cluster: MemoryCluster) -> None:
    [letter_id] = put(cluster, b"one\x1b[31m\n\ttwo\xe2\x80\xae")
    shown = bos("show", letter_id).out
    assert "one\\x1b[31m\n\\ttwo\\u202e" in shown
    assert "\x1b" not in shown
