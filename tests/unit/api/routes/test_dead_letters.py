"""Dead letters over HTTP: seen, previewed, replayed and discarded, one by one and in groups."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.letters import service
from schemas.errors import BrokerError, Code
from schemas.internal.dead_letters import dead_letter
from schemas.internal.outgoing import OutgoingRecord, RecordPosition
from schemas.topics import Topic
from state.decision.attempts import slots_of
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, until, world

pytestmark = pytest.mark.anyio
PATH = "/v1/dead-letters"
READY = Topic.ESSAYS_READY


@pytest.fixture
async def api() -> AsyncIterator[World]:
    async with world() as found:
        yield found


def letter(
    offset: int, value: bytes | None, *, topic: str = READY.value, code: str = Code.ROUTER_FAULT, **more: Any
) -> OutgoingRecord:
    first = RecordPosition(topic, 0, offset, 1_750_000_000_000)
    return dead_letter(value=value, key=None, first=first, code=code, reason="the router failed", **more)


def put(api: World, *letters: OutgoingRecord) -> list[str]:
    for one in letters:
        api.cluster.append(one)
    return [one.key.decode() for one in letters]


async def registered(api: World, **body: Any) -> str:
    answer = await api.client.post("/v1/batches/register", json=seed_body(**body))
    return str(answer.json()["batch_id"])


def ready(api: World, batch_id: str) -> bytes:
    """The ready event of a registered batch, as the seed's peers write it."""
    batch = api.cluster.batches.get(batch_id)
    essays = ("essay-1",) if batch is None else slots_of(batch)
    entity = {"entity_id": batch_id, "entity_type": "batch", "parent_id": None}
    data = {
        "event": "batch.essays.ready",
        "batch_id": batch_id,
        "ready_essays": [{"essay_id": essay, "text_storage_id": f"text-{essay}"} for essay in essays],
        "batch_entity": entity,
        "metadata": {"entity": entity},
        "total_files_processed": len(essays),
    }
    envelope = {
        "event_id": "65030545-3e9e-4156-8326-99362438bf50",
        "event_type": READY.value,
        "event_timestamp": "2025-06-16T08:30:00Z",
        "source_service": "essay-lifecycle-service",
        "data": data,
    }
    return json.dumps(envelope).encode()


async def shown(api: World, letter_id: str) -> dict[str, Any]:
    answer = await api.client.get(f"{PATH}/{letter_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_letter_is_shown_with_everything_that_is_known(api: World) -> None:
    [letter_id] = put(api, letter(4, b'{"a": 1}', traceback="line 1", request_id="r1"))
    found = await shown(api, letter_id)
    assert found["value"] == {"form": "json", "size": 8, "content": {"a": 1}}
    assert found["first"] == {
        "topic": READY.value,
        "partition": 0,
        "offset": 4,
        "time": "2025-06-15T15:06:40.000Z",
    }
    assert (found["state"], found["code"], found["traceback"]) == ("open", "ORC-ROUTER-FAULT", "line 1")
    assert (found["request_id"], found["handled"], found["headers"]["first_offset"]) == ("r1", None, "4")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"not json", {"form": "text", "size": 8, "content": "not json"}),
        (b"\xff\x00", {"form": "hex", "size": 2, "content": "ff00"}),
        (b"NaN", {"form": "text", "size": 3, "content": "NaN"}),
        (b'"\\ud800"', {"form": "text", "size": 8, "content": '"\\ud800"'}),
        (b"[" * 99_999, {"form": "text", "size": 99_999, "content": "[" * 99_999}),
    ],
    ids=["none", "text", "bytes", "nan", "half a pair", "deep"],
)
async def test_any_bytes_have_a_form(api: World, value: bytes | None, expected: object) -> None:
    [letter_id] = put(api, letter(4, value))
    assert (await shown(api, letter_id))["value"] == expected


async def test_a_preview_tells_what_a_replay_would_become_and_sends_nothing(api: World) -> None:
    batch_id = await registered(api)
    api.projection.project()
    [letter_id] = put(api, letter(4, ready(api, batch_id)))
    preview = (await api.client.post(f"{PATH}/{letter_id}/preview")).json()
    assert (preview["becomes"], preview["disposition"], preview["event"]) == ("inbox_record", "applied", "essays_ready")
    assert preview["reason"]["code"] == "pipeline_started"
    assert preview["effects"] == [{"kind": "command_phase", "phase": "spellcheck", "attempt": 1, "essays": 3}]
    assert preview["status"] == {"before": "awaiting_content_validation", "after": "processing_pipelines"}
    assert (preview["batch_id"], preview["commands"]) == (batch_id, 1)
    assert api.letters.replayed == []
    assert (await shown(api, letter_id))["state"] == "open"


async def test_a_preview_says_why_it_would_be_a_dead_letter_again(api: World) -> None:
    [letter_id] = put(api, letter(4, b"not json"))
    preview = (await api.client.post(f"{PATH}/{letter_id}/preview")).json()
    assert (preview["becomes"], preview["disposition"]) == ("dead_letter", None)
    assert preview["fault"]["code"] == "ORC-NOT-JSON"


async def test_a_preview_of_an_unknown_batch_says_that_it_would_be_a_dead_letter_again(api: World) -> None:
    [letter_id] = put(api, letter(4, ready(api, "nobody")))
    preview = (await api.client.post(f"{PATH}/{letter_id}/preview")).json()
    assert (preview["becomes"], preview["disposition"]) == ("dead_letter", "unknown")
    assert preview["fault"] == {"code": "ORC-UNKNOWN-BATCH", "detail": "There is no batch nobody."}


async def test_a_wrong_pipeline_file_fails_previews_and_nothing_else(tmp_path: Path) -> None:
    async with world(pipelines_file=tmp_path / "missing.toml") as api:
        [letter_id] = put(api, letter(4, b"x"))
        answer = await api.client.post(f"{PATH}/{letter_id}/preview")
        assert (answer.status_code, answer.json()["code"]) == (503, "ORC-NOT-READY")
        assert (await api.client.post(f"{PATH}/{letter_id}/discard", json={"note": "n"})).is_success


async def test_a_record_that_ends_processes_is_not_processed_for_a_preview(api: World) -> None:
    [letter_id] = put(api, letter(4, ready(api, "batch"), code=Code.PROCESS_CRASHED))
    answer = await api.client.post(f"{PATH}/{letter_id}/preview")
    assert (answer.status_code, answer.json()["code"]) == (409, "ORC-LETTER-REFUSED")
    assert answer.json()["reason"] == "ends_processes"


async def test_a_replay_goes_through_the_router_as_it_is(api: World) -> None:
    batch_id = await registered(api)
    sent = letter(4, ready(api, batch_id))
    [letter_id] = put(api, sent)
    answer = await api.client.post(f"{PATH}/{letter_id}/replay", json={"note": "the defect is mended"})
    assert answer.status_code == 200
    assert answer.json().items() >= {"state": "replayed", "by": "anonymous", "note": "the defect is mended"}.items()
    [replayed] = api.letters.replayed
    assert (replayed.topic, replayed.value, replayed.headers) == (Topic.REPLAY, sent.value, sent.headers)

    async def started() -> bool:
        status = (await api.client.get(f"/v1/batches/{batch_id}/status")).json()
        return bool(status["status"] == "processing_pipelines")

    await until(started)
    found = await shown(api, letter_id)
    assert (found["state"], found["handled"]["note"]) == ("replayed", "the defect is mended")
    again = await api.client.post(f"{PATH}/{letter_id}/replay")
    assert (again.status_code, again.json()["reason"]) == (409, "already_replayed")


async def test_a_replay_that_fails_again_is_open_again_with_the_newer_fault(api: World) -> None:
    [letter_id] = put(api, letter(4, b"not json"))
    assert (await api.client.post(f"{PATH}/{letter_id}/replay")).status_code == 200
    found = await shown(api, letter_id)
    assert (found["state"], found["code"], found["handled"]) == ("open", "ORC-NOT-JSON", None)
    assert len((await api.client.get(PATH)).json()["dead_letters"]) == 1


async def test_a_discarded_letter_can_still_be_replayed(api: World) -> None:
    batch_id = await registered(api)
    sent = letter(4, ready(api, batch_id))
    [letter_id] = put(api, sent)
    headers = {"X-Correlation-ID": "x"}
    assert (await api.client.post(f"{PATH}/{letter_id}/discard", json={"note": "a test"}, headers=headers)).is_success
    assert (await shown(api, letter_id))["state"] == "discarded"
    again = await api.client.post(f"{PATH}/{letter_id}/discard", json={"note": "a test"})
    assert (again.status_code, again.json()["reason"]) == (409, "already_discarded")
    assert (await api.client.post(f"{PATH}/{letter_id}/replay")).is_success
    assert api.letters.replayed[0].headers == sent.headers
    assert (await shown(api, letter_id))["state"] == "replayed"


async def test_what_was_done_fits_the_topic_without_the_value_too(api: World) -> None:
    [letter_id] = put(api, letter(4, b"not json"))
    api.letters.too_large = True
    assert (await api.client.post(f"{PATH}/{letter_id}/discard", json={"note": "a test"})).is_success
    found = await shown(api, letter_id)
    assert (found["state"], found["value"]["content"]) == ("discarded", "not json")


async def test_a_letter_without_its_value_cannot_be_replayed(api: World) -> None:
    [letter_id] = put(api, letter(4, None))
    for act in ("preview", "replay"):
        answer = await api.client.post(f"{PATH}/{letter_id}/{act}")
        assert (answer.status_code, answer.json()["reason"]) == (409, "no_value")


async def test_lists_are_filtered_paged_and_grouped(api: World) -> None:
    put(api, *(letter(number, ready(api, f"batch-{number % 2}")) for number in range(5)))
    put(api, letter(9, b"x", code=Code.NOT_JSON))
    page = (await api.client.get(PATH, params={"limit": 4})).json()
    rest = (await api.client.get(PATH, params={"limit": 4, "cursor": page["next"]})).json()
    ids = [one["dead_letter_id"] for one in page["dead_letters"] + rest["dead_letters"]]
    assert (len(ids), len(set(ids)), rest["next"]) == (6, 6, None)
    only = (await api.client.get(PATH, params={"batch": "batch-1"})).json()["dead_letters"]
    assert {one["first"]["offset"] for one in only} == {1, 3}
    assert (await api.client.get(PATH, params={"code": "ORC-NOT-JSON"})).json()["dead_letters"][0]["batch_id"] is None
    assert (await api.client.get(PATH, params={"until": "2001-01-01T00:00:00Z"})).json()["dead_letters"] == []
    groups = (await api.client.get(f"{PATH}/groups")).json()["groups"]
    assert [(group["code"], group["count"]) for group in groups] == [("ORC-ROUTER-FAULT", 5), ("ORC-NOT-JSON", 1)]


@pytest.mark.parametrize(
    "params", [{"state": "lost"}, {"since": "tomorrow"}, {"limit": 0}, {"code": ""}, {"cursor": "nonsense"}]
)
async def test_a_wrong_filter_is_a_clear_error(api: World, params: dict[str, str]) -> None:
    answer = await api.client.get(PATH, params=params)
    assert answer.status_code == 400
    assert answer.json()["next_step"]


@pytest.mark.parametrize("verb", ["preview", "replay", "discard"])
async def test_another_method_on_a_group_is_told_the_one_it_has(api: World, verb: str) -> None:
    answer = await api.client.put(f"{PATH}/{verb}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


async def test_a_group_is_counted_previewed_and_replayed(api: World) -> None:
    batches = [await registered(api) for _ in range(2)]
    api.projection.project()
    put(api, *(letter(number, ready(api, batch_id)) for number, batch_id in enumerate(batches)))
    put(api, letter(7, ready(api, batches[0])), letter(8, b"not json"), letter(9, None))
    body = {"filter": {"code": "ORC-ROUTER-FAULT"}}

    counted = (await api.client.post(f"{PATH}/replay?dry_run=true", json=body)).json()
    assert counted == {"matched": 5, "selected": 5}
    preview = (await api.client.post(f"{PATH}/preview", json=body)).json()
    assert preview["outcomes"] == {"applied": 2, "duplicate": 1, "dead_letter": 1}
    assert (preview["commands"], len(preview["refused"]), preview["not_previewed"]) == (2, 1, 0)
    assert preview["sentence"] == (
        "of 5: 2 would be applied with 2 commands, 1 would be duplicate, 1 would become dead letters again, "
        "1 cannot be replayed"
    )
    assert api.letters.replayed == []

    worked = (await api.client.post(f"{PATH}/replay", json=body)).json()
    assert (worked["matched"], worked["done"], worked["refused"][0]["code"]) == (5, 4, "ORC-LETTER-REFUSED")
    states = [one["state"] for one in (await api.client.get(PATH)).json()["dead_letters"]]
    assert sorted(states) == ["open", "open", "replayed", "replayed", "replayed"]


async def test_a_group_can_be_discarded_the_oldest_first(api: World) -> None:
    ids = put(api, *(letter(number, b"x") for number in range(3)))
    body = {"filter": {"topic": READY.value}, "limit": 2, "note": "a test"}
    assert (await api.client.post(f"{PATH}/discard", json=body)).json()["done"] == 2
    states = {letter_id: (await shown(api, letter_id))["state"] for letter_id in ids}
    assert sorted(states.values()) == ["discarded", "discarded", "open"]


@pytest.mark.parametrize("act", ["preview", "replay", "discard", "replay?dry_run=1"])
@pytest.mark.parametrize("filters", [{}, {"state": "open"}])
async def test_an_empty_filter_is_refused(api: World, act: str, filters: dict[str, str]) -> None:
    put(api, letter(4, b"x"))
    answer = await api.client.post(f"{PATH}/{act}", json={"filter": filters, "note": "n"})
    assert (answer.status_code, answer.json()["code"]) == (422, "ORC-LETTER-FILTER")


async def test_a_group_has_a_largest_size(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_LETTERS", 2)
    put(api, *(letter(number, b"x") for number in range(3)))
    answer = await api.client.post(f"{PATH}/replay", json={"filter": {"code": "ORC-ROUTER-FAULT"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "ORC-LETTER-LIMIT")
    assert "3 dead letters" in answer.json()["detail"]
    assert api.letters.replayed == []


async def test_what_there_is_no_time_for_is_left_and_counted(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_GROUP_S", -1.0)
    put(api, *(letter(number, b"x") for number in range(3)))
    body = {"filter": {"code": "ORC-ROUTER-FAULT"}}
    assert (await api.client.post(f"{PATH}/preview", json=body)).json()["not_previewed"] == 3
    worked = (await api.client.post(f"{PATH}/replay", json=body)).json()
    assert (worked["done"], worked["left"]) == (0, 3)


@pytest.mark.parametrize(
    "body",
    [{}, {"filter": {"colour": "red"}}, {"filter": {"code": 7}}, {"filter": {"since": "x"}}, {"filter": {}, "x": 1}],
)
async def test_a_wrong_body_names_each_fault(api: World, body: dict[str, Any]) -> None:
    answer = await api.client.post(f"{PATH}/discard", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "ORC-REQUEST-BODY")
    assert answer.json()["details"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/groups"), ("GET", "/x"), ("POST", "/x/replay")])
async def test_a_named_user_has_no_scope_for_dead_letters(api: World, method: str, path: str) -> None:
    answer = await api.client.request(method, PATH + path, headers={"X-User-ID": "teacher-1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "ORC-SCOPE")


@pytest.mark.parametrize("letter_id", ["nothing", "%00", "%FF", "a%2Fb"])
async def test_an_unknown_letter_is_not_found(api: World, letter_id: str) -> None:
    for method, path in (("GET", ""), ("POST", "/preview"), ("POST", "/replay")):
        answer = await api.client.request(method, f"{PATH}/{letter_id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "ORC-LETTER-NOT-FOUND")


async def test_without_kafka_nothing_is_said_to_be_done(api: World) -> None:
    [letter_id] = put(api, letter(4, b"x"))
    api.cluster.unreachable = "no broker answers"
    for path, body in ((f"/{letter_id}/replay", {}), ("/replay", {"filter": {"code": "ORC-ROUTER-FAULT"}})):
        answer = await api.client.post(PATH + path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "ORC-BROKER")
        assert "Retry-After" in answer.headers
    assert (await shown(api, letter_id))["state"] == "open"


async def test_without_the_projection_no_letter_is_said_to_be_missing(api: World) -> None:
    api.projection.error = BrokerError("the database is away", next_step="Wait.")
    for method, path in (("GET", ""), ("GET", "/groups"), ("GET", "/x"), ("POST", "/x/replay")):
        answer = await api.client.request(method, PATH + path)
        assert (answer.status_code, answer.json()["code"]) == (503, "ORC-NOT-READY")


async def test_an_act_on_a_letter_answers_no_request(api: World) -> None:
    """The record of the act repeats the dead letter's request id; whoever waits for that waits for a decision."""
    waiting = api.services.follower.answer("r1")
    [letter_id] = put(api, letter(4, b"x", request_id="another"))
    stored = await api.services.letters.get(letter_id)
    headers = tuple((name, b"r1" if name == "request_id" else value) for name, value in stored.headers)
    api.cluster.append(OutgoingRecord(Topic.DEAD_LETTERS, b"id", b"x", (*headers, ("state", b"discarded"))))
    await registered(api)  # its answer is read after that record
    assert not waiting.done()
    waiting.cancel()
