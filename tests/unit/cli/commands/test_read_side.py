"""Commands that read, against the real api over a product that has a history."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli import exit_codes, output
from cli.api_client import RequestFailed
from cli.main import app
from schemas.topics import Topic
from tests.browser.serving import Site, serving

pytestmark = pytest.mark.slow
FILTER_SINCE = "2020-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site")) as served:
        yield served


@pytest.fixture(autouse=True)
def address(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOS_URL", site.url)
    monkeypatch.setenv("BOS_CONFIG_HOME", str(tmp_path))


def bos(*arguments: str, **options: str) -> Result:
    return CliRunner().invoke(app, [*arguments], **options)  # type: ignore[arg-type]


def ok(*arguments: str) -> str:
    result = bos(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(*arguments: str) -> RequestFailed:
    error = bos(*arguments).exception
    assert isinstance(error, RequestFailed), error
    return error


def test_the_list_has_the_batches_that_the_filter_names_in_every_form() -> None:
    body = json.loads(ok("batches", "list", "--held", "-o", "json"))
    ids = [batch["batch_id"] for batch in body["batches"]]
    assert ids
    assert all(batch["held"] for batch in body["batches"])
    assert ok("batches", "list", "--held", "-o", "name").split() == ids
    assert ok("batches", "list", "--filter", "held=yes", "-o", "name").split() == ids
    lines = [json.loads(line) for line in ok("batches", "list", "--held", "-o", "jsonl").splitlines()]
    assert lines == body["batches"]
    assert yaml.safe_load(ok("batches", "list", "--held", "-o", "yaml")) == body
    table = ok("batches", "list", "--held").splitlines()
    assert table[0].split() == ["STATUS", "BATCH", "COURSE", "PHASE", "ESSAYS", "AGE", "WHY"]
    assert [row.split("  ")[0] for row in table[1:]] == ["processing_pipelines (held)"] * len(ids)
    assert all(one[:8] in row for one, row in zip(ids, table[1:], strict=True))
    wide = ok("batches", "list", "--held", "-o", "wide")
    assert all(one in wide for one in ids)


def test_the_list_goes_on_over_pages_and_says_that_there_is_more() -> None:
    everything = ok("batches", "list", "--limit", "0", "-o", "name").split()
    assert len(set(everything)) == len(everything) > 50
    first = bos("batches", "list", "--limit", "7")
    assert "7 batches, and more" in first.stderr
    assert len(first.stdout.splitlines()) == 8


def test_fields_show_members_by_their_names() -> None:
    rows = json.loads(ok("batches", "list", "--limit", "2", "--fields", "batch_id,why.code", "-o", "json"))
    assert [set(row) for row in rows] == [{"batch_id", "why.code"}] * 2
    wrong = bos("batches", "list", "--fields", "batchid")
    assert wrong.exit_code == exit_codes.USAGE
    assert "there is no member 'batchid'" in wrong.output


def test_a_wrong_filter_is_told_with_the_right_one() -> None:
    error = refused("batches", "list", "--status", "failed_criticaly")
    assert (error.code, error.exit_code) == ("ORC-FILTER", exit_codes.USAGE)
    assert "Did you mean failed_critically?" in error.next_step


@pytest.mark.parametrize("command", ["get", "status", "why", "history", "replay"])
def test_a_batch_is_found_by_the_beginning_of_its_id(site: Site, command: str) -> None:
    batch_id = site.batch("held")
    assert ok("batches", command, batch_id[:8]) == ok("batches", command, batch_id)
    as_json = ok("batches", command, batch_id[:8], "-o", "json")
    assert json.loads(as_json)["batch_id"] == batch_id


def test_an_unknown_batch_is_not_found() -> None:
    for batch_id in ("nothing", "00000000-0000-5000-8000-000000000000"):
        assert refused("batches", "why", batch_id).exit_code == exit_codes.NOT_FOUND


def test_why_says_what_can_be_done_and_the_commands_can_be_copied(site: Site) -> None:
    batch_id = site.batch("held")
    told = ok("batches", "why", batch_id)
    assert told.startswith(f"{batch_id}: ")
    command = next(line.partition("bos ")[2] for line in told.splitlines() if f"bos batches retry {batch_id}" in line)
    assert bos(*command.split(), "--dry-run").exit_code == 0
    body = json.loads(ok("batches", "why", batch_id, "-o", "json"))
    assert body["batch_id"] == batch_id
    assert body["sentence"] in told


def test_the_past_of_a_batch(site: Site) -> None:
    batch_id = site.batch("held")
    decisions = json.loads(ok("batches", "history", batch_id, "-o", "json"))["decisions"]
    first, last = decisions[0]["version"], decisions[-1]["version"]
    then = json.loads(ok("batches", "get", batch_id, "--at", str(first)))
    assert (then["version"], then["status"]) == (first, "awaiting_content_validation")
    changes = json.loads(ok("batches", "diff", batch_id, str(first), str(last), "-o", "json"))["changes"]
    assert {"path": "version", "before": first, "after": last} in changes
    assert "~  status" in ok("batches", "diff", batch_id, str(first), str(last))


def test_what_if_and_a_saved_test(site: Site, tmp_path: Path) -> None:
    batch_id = site.batch("held")
    file = Path(__file__).parents[4] / "examples" / "pipelines.toml"
    assert "new command" in ok("batches", "what-if", batch_id, "--pipelines", str(file))
    saved = tmp_path / "batch.json"
    ok("batches", "fixture", batch_id, "--to", str(saved))
    assert batch_id in saved.read_text()
    assert refused("batches", "what-if", batch_id, "--pipelines", str(tmp_path / "none")).exit_code == exit_codes.USAGE


def test_the_whole_in_numbers() -> None:
    numbers = ok("stats")
    assert "spellcheck" in numbers
    assert "live " in numbers
    assert "NEEDS ATTENTION" in ok("top"), "once, where nobody watches"
    told = bos("system", "status", "--exit-status")
    assert "orchestrator/1  restoring 63%" in " ".join(told.stdout.split(" ")).replace("   ", "  ")
    assert told.exit_code == exit_codes.UNDECIDED
    live = refused("system", "forget", "orchestrator/1")
    assert (live.code, live.exit_code) == ("ORC-PROCESS-LIVE", exit_codes.REFUSED)
    assert "Stop it first" in live.next_step
    assert refused("system", "forget", "orchestrator/7").exit_code == exit_codes.NOT_FOUND
    assert bos("system", "forget", "orchestrator").exit_code == exit_codes.USAGE
    assert json.loads(ok("system", "status", "-o", "json"))["healthy"] is False


def test_the_page_of_a_list_has_the_same_filter(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    page = ok("batches", "list", "--status", "cancelled", "--no-held", "--web").strip()
    assert opened == [page] == [f"{site.url}/batches?status=cancelled&held=no"]


def test_contexts_give_the_address(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOS_URL")
    monkeypatch.delenv("BATCH_ORCHESTRATOR_URL", raising=False)
    ok("contexts", "add", "here", site.url)
    ok("contexts", "add", "away", "http://127.0.0.1:1")
    assert refused("stats").exit_code == exit_codes.UNDECIDED
    ok("contexts", "use", "here")
    ok("stats")
    assert [line.split()[:2] for line in ok("contexts", "list").splitlines()[1:]] == [
        ["*", "here"],
        ["away", "http://127.0.0.1:1"],
    ]
    ok("contexts", "remove", "here")
    unknown = bos("contexts", "use", "here")
    assert "There is no context here." in str(unknown.exception)


def test_a_code_is_explained_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOS_URL", "http://127.0.0.1:1")
    for code in ("ORC-NOT-READY", "not-ready"):
        assert ok("explain", code).startswith("# ORC-NOT-READY")
    result = bos("explain", "ORC-NOT-REDY")
    assert result.exit_code == exit_codes.NOT_FOUND
    assert "ORC-NOT-READY" in result.stderr


def test_an_action_on_a_filter_is_previewed_agreed_to_and_followed() -> None:
    held = ok("batches", "list", "--held", "-o", "name").split()
    preview = ok("batches", "pause", "--filter", "held=yes", "--reason", "check", "--dry-run")
    assert f"{len(held)} applied (batch_paused)" in preview
    unsure = bos("batches", "pause", "--filter", "held=yes", "--reason", "check")
    assert unsure.exit_code == exit_codes.USAGE
    assert "--yes" in unsure.output
    done = ok("batches", "pause", "--filter", "held=yes", "--reason", "check", "--yes")
    assert f"{len(held)} of {len(held)} decided, {len(held)} applied, 0 not" in done
    operation_id = done.partition("operation ")[2].partition(":")[0]
    assert operation_id in ok("operations", "list", "-o", "name").split()
    assert json.loads(ok("operations", "get", operation_id, "-o", "json"))["state"] == "finished"
    asked = json.loads(ok("operations", "requests", "-o", "json"))["requests"]
    assert {(each["batch_id"], each["event"]) for each in asked} >= {(batch_id, "pause") for batch_id in held}
    assert asked[0]["request_id"] == ok("operations", "requests", "--limit", "1", "-o", "name").strip()
    assert "paused (check)" in ok("operations", "requests")
    again = bos("batches", "pause", "--filter", "held=yes", "--reason", "check", "--yes")
    assert again.exit_code == exit_codes.SOME_REFUSED
    assert f"{len(held)} refused (already_paused)" in again.stdout


def test_a_filter_that_fits_everything_and_one_that_fits_nothing() -> None:
    assert refused("batches", "cancel", "--filter", "held=", "--reason", "x", "--yes").code == "ORC-OPERATION-FILTER"
    nothing = bos("batches", "cancel", "--filter", "course=NONE", "--reason", "x", "--yes")
    assert nothing.exit_code == 0
    assert nothing.stdout == ""


def test_ids_and_a_filter_exclude_each_other(site: Site) -> None:
    for arguments in ([], [site.batch("held"), "--filter", "held=yes"]):
        result = bos("batches", "pause", *arguments)
        assert result.exit_code == exit_codes.USAGE


def test_an_action_on_the_beginning_of_an_id_leaves_no_trace_under_it(site: Site) -> None:
    """A request for an id that nobody has is decided too: as refused, in a history of that id."""
    whole = site.batch("held")
    for action in ("pause", "resume"):
        assert whole in bos("batches", action, whole[:8], "--reason", "a check").stdout
    keys = {
        record.key for partition, log in site.cluster.logs.items() if partition.topic is Topic.HISTORY for record in log
    }
    assert whole.encode() in keys
    assert whole[:8].encode() not in keys


def test_a_watch_into_a_pipe_writes_lines_of_json(site: Site) -> None:
    ended = ok("batches", "list", "--ended", "--limit", "1", "-o", "name").strip()
    (line,) = ok("batches", "watch", ended).splitlines()
    assert json.loads(line)["batch_id"] == ended
    assert ok("batches", "watch", ended, "-o", "table").startswith(json.loads(line)["status"])


def test_times_can_be_local_or_relative_and_lines_ascii(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XST-02")
    time.tzset()
    held = site.batch("held")
    try:
        assert re.search(r" \d\d:\d\d:\d\dZ ", ok("batches", "history", held))
        assert ok("--time", "local", "stats").strip().endswith(" XST")
        assert re.search(r" \d+\w+ ago ", ok("--time", "relative", "batches", "history", held))
        assert not ok("stats").isascii()
        assert ok("--ascii", "stats").isascii()
    finally:
        bos("--time", "utc", "help")
        output._Chosen.ascii_alone = False
        monkeypatch.undo()
        time.tzset()


def test_what_holds_for_every_command_is_told() -> None:
    codes = ok("help", "exit-codes").splitlines()
    assert [int(line.split()[0]) for line in codes] == list(exit_codes.MEANINGS)
    assert "BOS_TIME" in ok("help", "environment")
    assert "bos help output" in ok("help")
    assert bos("help", "nothing").exit_code == exit_codes.NOT_FOUND
