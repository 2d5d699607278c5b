"""A batch explained over HTTP: its states, its decisions, what if, and the test made of it."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from api.routes.explain import MOST_FILE_BYTES
from state.decision.records import status_record
from state.replay import replay
from tests.corpus.saved import parse, verdict
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, world
from tests.unit.api.replay.happening import failed, happen, ready, registered

pytestmark = pytest.mark.anyio

SAME = """
default = "default"
[[pipelines]]
name = "default"
version = 1
phases = [{ name = "spellcheck" }, { name = "cj_assessment", after = ["spellcheck"], when = "enable_cj_assessment" }]
"""
HELD = SAME.replace("version = 1", "version = 2").replace(
    '{ name = "spellcheck" }', '{ name = "spellcheck", on_failure = "hold" }'
)
TEXT = {"Content-Type": "text/plain"}


async def lived(api: World) -> tuple[str, list[int]]:
    """Return a batch that was registered, started twice, and ended in failure, and the positions of its events."""
    batch_id = await registered(api)
    ready(api, batch_id)
    ready(api, batch_id)
    happen(api, batch_id, failed("spellcheck"))
    body = (await api.client.get(f"/v1/batches/{batch_id}/replay")).json()
    return batch_id, [each["position"] for each in body["decisions"]]


async def test_the_state_at_a_version_is_the_one_that_was_published() -> None:
    async with world() as api:
        batch_id = await registered(api)
        states = [status_record(api.cluster.batches[batch_id])]
        ready(api, batch_id)
        states.append(status_record(api.cluster.batches[batch_id]))
        happen(api, batch_id, failed("spellcheck"))
        for state in states:
            assert await api.services.explain.at(batch_id, state.version) == state


async def test_a_batch_is_shown_as_it_was() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        for path in (f"/v1/batches/{batch_id}?at=", f"/v1/batch?batch_id={batch_id}&at="):
            answer = await api.client.get(f"{path}{places[2]}")
            body = answer.json()
            assert (body["status"], body["version"]) == ("processing_pipelines", places[1])
            assert "immutable" in answer.headers["Cache-Control"]
            again = {"If-None-Match": answer.headers["ETag"]}
            assert (await api.client.get(f"{path}{places[2]}", headers=again)).status_code == 304
            assert (await api.client.get(f"{path}{places[-1] + 1}")).status_code == 404
        assert "why" in (await api.client.get(f"/v1/batches/{batch_id}")).json()


async def test_a_version_that_the_batch_never_had_is_not_found() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        for path in (
            f"diff?from={places[0]}&to={places[-1] + 1}",
            f"diff?from=0&to={places[-1]}",
            f"decisions/{places[-1] + 1}",
        ):
            answer = await api.client.get(f"/v1/batches/{batch_id}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "ORC-VERSION-NOT-FOUND")


async def test_a_diff_names_what_changed() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        answer = await api.client.get(f"/v1/batches/{batch_id}/diff?from={places[0]}&to={places[1]}")
        body = answer.json()
        changed = {each["path"]: (each["before"], each["after"]) for each in body["changes"]}
        assert changed["status"] == ("awaiting_content_validation", "processing_pipelines")
        assert changed["pipeline_state.spellcheck.status"] == ("pending_dependencies", "dispatch_initiated")
        assert changed["counts.ready"] == (0, 3)
        assert changed["deadlines[phase/spellcheck/1]"][0] is None
        assert "batch_context.course_code" not in changed
        same = await api.client.get(f"/v1/batches/{batch_id}/diff?from={places[1]}&to={places[2]}")
        assert same.json()["changes"] == []


async def test_what_never_changes_may_be_kept() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        for path, kept in (
            (f"diff?from={places[0]}&to={places[1]}", True),
            (f"decisions/{places[0]}", True),
            (f"decisions/{places[-1]}", False),
        ):
            answer = await api.client.get(f"/v1/batches/{batch_id}/{path}")
            assert ("immutable" in answer.headers["Cache-Control"]) == kept
            again = {"If-None-Match": answer.headers["ETag"]}
            assert (await api.client.get(f"/v1/batches/{batch_id}/{path}", headers=again)).status_code == 304


async def test_a_decision_shows_its_event_what_it_changed_and_its_neighbours() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        body = (await api.client.get(f"/v1/batches/{batch_id}/decisions/{places[1]}")).json()
        assert (body["event"], body["disposition"], body["position"]) == ("essays_ready", "applied", places[1])
        assert len(body["body"]["essays"]) == 3
        assert body["status"] == {"before": "awaiting_content_validation", "after": "processing_pipelines"}
        assert {"path": "status", "before": "awaiting_content_validation", "after": "processing_pipelines"} in body[
            "diff"
        ]
        assert body["cause"]["topic"] == "test"
        assert (body["previous"], body["next"]) == (places[0], places[2])
        assert body["links"]["next"] == f"/v1/batches/{batch_id}/decisions/{places[2]}"
        ignored = (await api.client.get(f"/v1/batches/{batch_id}/decisions/{places[2]}")).json()
        assert (ignored["disposition"], ignored["diff"], ignored["effects"]) == ("duplicate", [], [])
        first = (await api.client.get(f"/v1/batches/{batch_id}/decisions/{places[0]}")).json()
        assert first["status"]["before"] is None
        assert first["differences"] == []


async def test_the_last_decision_gets_a_neighbour() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        path = f"/v1/batches/{batch_id}/decisions/{places[-1]}"
        before = await api.client.get(path)
        assert before.json()["next"] is None
        ready(api, batch_id)
        after = await api.client.get(path, headers={"If-None-Match": before.headers["ETag"]})
        assert after.status_code == 200
        assert after.json()["next"] > places[-1]


async def test_the_same_definition_decides_the_same() -> None:
    async with world() as api:
        batch_id, _ = await lived(api)
        answer = await api.client.post(f"/v1/batches/{batch_id}/what-if", content=SAME, headers=TEXT)
    body = answer.json()
    assert (body["sentence"], body["decisions"]) == ("All 4 records are decided the same.", [])
    assert body["pipeline"] == {"name": "default", "version": 1}


async def test_another_definition_decides_otherwise_from_somewhere_on() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        written = len(api.cluster.requests)
        answer = await api.client.post(f"/v1/batches/{batch_id}/what-if", content=HELD, headers=TEXT)
        assert len(api.cluster.requests) == written
    body = answer.json()
    assert body["same_until"] == places[2]
    [different] = body["decisions"]
    assert different["position"] == places[3]
    assert different["recorded"]["status"] == "failed_critically"
    assert different["instead"]["status"] == "processing_pipelines"
    assert body["status"] == {"recorded": "failed_critically", "instead": "processing_pipelines"}


@pytest.mark.parametrize(
    ("content", "headers", "query", "status", "code"),
    [
        ("default = 1", TEXT, "", 422, "ORC-PIPELINE"),
        ("no toml", TEXT, "", 422, "ORC-PIPELINE"),
        (SAME, TEXT, "?pipeline=other", 422, "ORC-PIPELINE"),
        (SAME, {"Content-Type": "application/json"}, "", 400, "ORC-CONTENT-TYPE"),
        (b"\xff", TEXT, "", 400, "ORC-CONTENT-TYPE"),
        (b"#" * (MOST_FILE_BYTES + 1), TEXT, "", 413, "ORC-BODY-TOO-LARGE"),
        (SAME, TEXT | {"Content-Encoding": "gzip"}, "", 415, "ORC-CONTENT-ENCODING"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused(
    content: Any, headers: dict[str, str], query: str, status: int, code: str
) -> None:
    async with world() as api:
        batch_id = await registered(api)
        answer = await api.client.post(f"/v1/batches/{batch_id}/what-if{query}", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_next_event_is_imagined_and_nothing_is_written() -> None:
    async with world() as api:
        batch_id = await registered(api)
        ready(api, batch_id)
        version = api.cluster.batches[batch_id].version
        decided = len(api.cluster.inbox)
        asked = {"event": "outcome", "phase": "spellcheck", "failed": 1}
        answer = await api.client.post(f"/v1/batches/{batch_id}/imagine", json=asked)
        body = answer.json()
        assert body["sentence"].startswith("spellcheck: 2 essays passed, 1 lost")
        assert body["status"] == {"before": "processing_pipelines", "after": "completed_with_failures"}
        assert {"path": "counts.failed", "before": 0, "after": 1} in body["diff"]
        assert answer.headers["ETag"] == f'"{version}"'
        assert (len(api.cluster.inbox), len(api.cluster.requests)) == (decided, 0)
        by_query = await api.client.post(f"/v1/batches/imagine?batch_id={batch_id}", json={"event": "deadline"})
        assert by_query.json()["reason"]["code"] == "phase_stalled"


@pytest.mark.parametrize(
    "body", [{}, {"event": "cancel"}, {"event": "ready", "failed": -1}, {"event": "ready", "x": 1}]
)
async def test_an_event_that_cannot_be_imagined_is_refused(body: dict[str, Any]) -> None:
    async with world() as api:
        batch_id = await registered(api)
        answer = await api.client.post(f"/v1/batches/{batch_id}/imagine", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "ORC-REQUEST-BODY")


async def test_a_saved_batch_is_replayed_as_it_is() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        answer = await api.client.get(f"/v1/batches/{batch_id}/fixture")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="batch-{batch_id}.jsonl"'
    found = parse(answer.content)
    assert (found.head.batch_id, found.head.records) == (batch_id, len(places))
    assert "tests/corpus/saved_batches" in found.head.how
    result = replay(found.events())
    assert verdict(result) == []
    assert result.batch == api.cluster.batches[batch_id]


async def test_only_who_may_see_a_batch_has_it_explained() -> None:
    paths: list[Callable[[str], str]] = [
        lambda name: f"/v1/batches/{name}/diff?from=1&to=2",
        lambda name: f"/v1/batches/diff?batch_id={name}&from=1&to=2",
        lambda name: f"/v1/batches/{name}/decisions/1",
        lambda name: f"/v1/batches/decisions?batch_id={name}&version=1",
        lambda name: f"/v1/batches/{name}?at=1",
        lambda name: f"/v1/batches/{name}/fixture",
        lambda name: f"/v1/batches/fixture?batch_id={name}",
    ]
    async with world() as api:
        owner = {"X-User-ID": "ms-berg"}
        batch_id = (await api.client.post("/v1/batches/register", json=seed_body(), headers=owner)).json()["batch_id"]
        for name in ("nobody", batch_id):
            for path in paths:
                answer = await api.client.get(path(name), headers={"X-User-ID": "mr-lind"})
                assert (answer.status_code, answer.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND"), path(name)
            sent = {"content": SAME, "headers": TEXT | {"X-User-ID": "mr-lind"}}
            for posted in (f"/v1/batches/{name}/what-if", f"/v1/batches/what-if?batch_id={name}"):
                assert (await api.client.post(posted, **sent)).status_code == 404  # type: ignore[arg-type]
        assert (await api.client.get(paths[-2](batch_id), headers=owner)).status_code == 200


async def test_a_batch_whose_records_are_gone_is_told_as_such() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        api.services.explain._lives._kept.clear()
        api.cluster.inbox_start = 10**9
        for path in (f"decisions/{places[1]}", "fixture", f"diff?from={places[0]}&to={places[1]}"):
            answer = await api.client.get(f"/v1/batches/{batch_id}/{path}")
            assert (answer.status_code, answer.json()["code"]) == (410, "ORC-RECORDS-EXPIRED")


async def test_a_state_is_not_given_where_the_rules_decide_otherwise_now() -> None:
    async with world() as api:
        batch_id, places = await lived(api)
        api.projection.project()
        histories: list[Any] = api.projection.histories
        histories[1] = replace(histories[1], failed=7)
        answer = await api.client.get(f"/v1/batches/{batch_id}/diff?from={places[0]}&to={places[1]}")
        assert (answer.status_code, answer.json()["code"]) == (500, "ORC-REPLAY-DIFFERS")
        shown = (await api.client.get(f"/v1/batches/{batch_id}/decisions/{places[1]}")).json()
        assert [each["fact"] for each in shown["differences"]] == ["failed"]


async def test_a_history_can_be_limited_to_dispositions() -> None:
    async with world() as api:
        batch_id, _ = await lived(api)
        api.projection.project()
        path = f"/v1/batches/{batch_id}/history"
        for query, found in (
            ("disposition=duplicate", ["duplicate"]),
            ("disposition=duplicate&disposition=applied", ["applied", "applied", "duplicate", "applied"]),
        ):
            body = (await api.client.get(f"{path}?{query}")).json()
            assert [each["disposition"] for each in body["decisions"]] == found
        assert (await api.client.get(f"{path}?disposition=lost")).status_code == 400


async def test_a_preview_counts_commands_and_essays() -> None:
    async with world() as api:
        batch_id = await registered(api)
        ready(api, batch_id)
        retry = {"phase": "spellcheck", "essays": "all"}
        body = (await api.client.post(f"/v1/batches/{batch_id}/retry?dry_run=true", json=retry)).json()
        assert (body["disposition"], body["commands"], body["essays"]) == ("applied", 1, 3)
        assert body["sentence"] == "spellcheck is tried again; spellcheck (attempt 2) commanded for 3 essays"
        refused = (await api.client.post(f"/v1/batches/{batch_id}/resume?dry_run=true", json={})).json()
        assert (refused["sentence"], refused["commands"]) == ("the batch is not paused", 0)


async def test_lives_are_kept_within_bounds() -> None:
    async with world() as api:
        lives = api.services.explain._lives
        ids = [await registered(api) for _ in range(40)]
        for batch_id in ids:
            await lives.whole(batch_id)
        assert 0 < len(lives._kept) <= 32
