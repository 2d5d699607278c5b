"""Bulk operations as a client sees them, over a cluster in memory."""

import asyncio
from typing import Any

import pytest

from api.operations import keeper as keeper_module
from api.operations import selection as selection_module
from api.operations.selection import Page, ProjectionSelection
from api.operations.work import ItemWorker, Outcome
from schemas.errors import InvalidCursor, RecordTooLarge
from schemas.internal.events import Principal
from schemas.internal.formats import OPERATION
from schemas.internal.operations import OperationAction, OperationRecord, OperationState
from schemas.internal.records import decode_history, operation_outgoing
from schemas.topics import Topic
from state.decision.requests import ANY_OWNER
from tests.patience import PATIENCE_S
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, MemoryProjection, World, until, world

pytestmark = pytest.mark.anyio
OPERATIONS = "/v1/operations"
FOREIGN = {"X-User-ID": "somebody else"}
CANCEL: dict[str, Any] = {"action": "cancel", "filter": {"course": "SV1"}, "reason": "a wrong import"}


async def register(api: World, count: int = 1, **body: Any) -> list[str]:
    found = []
    for _ in range(count):
        answer = await api.client.post("/v1/batches/register", json=seed_body(**body))
        found.append(answer.json()["batch_id"])
    api.projection.project()
    return found


async def start(api: World, **asked: Any) -> str:
    answer = await api.client.post(OPERATIONS, json=CANCEL | asked)
    assert answer.status_code == 202, answer.text
    found: str = answer.json()["operation_id"]
    assert answer.headers["Location"] == f"{OPERATIONS}/{found}"
    return found


async def ended(api: World, operation_id: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def has_ended() -> bool:
        nonlocal found
        found = (await api.client.get(f"{OPERATIONS}/{operation_id}")).json()
        return found["state"] in ("finished", "stopped", "failed")

    await until(has_ended)
    return found


def decisions(cluster: MemoryCluster, operation_id: str) -> list[tuple[str, str]]:
    """Return batch and disposition of every decision on a request of the operation."""
    return [
        (history.batch_id, history.disposition.value)
        for partition, log in cluster.logs.items()
        if partition.topic is Topic.HISTORY
        for history in (decode_history(record.value or b"") for record in log)
        if history.origin is not None and history.origin.correlation_id == operation_id
    ]


async def test_an_operation_works_all_that_fits_and_tells_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "PAGE", 2)
    async with world() as api:
        wanted, other = await register(api, 5), await register(api, course_code="ENG5")
        await api.client.post(f"/v1/batches/{wanted[0]}/cancel", json={})
        operation_id = await start(api)
        found = await ended(api, operation_id)
        assert (found["state"], found["expected"], found["done"], found["applied"]) == ("finished", 5, 5, 4)
        assert found["results"] == [
            {"disposition": "applied", "reason": "batch_cancelled", "count": 4},
            {"disposition": "refused", "reason": "batch_ended", "count": 1},
        ]
        assert found["refused"] == [{"id": wanted[0], "disposition": "refused", "reason": "batch_ended"}]
        assert (found["reason"], found["by"]["subject"]) == ("a wrong import", "anonymous")
        assert {batch_id: batch.status.terminal for batch_id, batch in api.cluster.batches.items()} == {
            **dict.fromkeys(wanted, True),
            other[0]: False,
        }
        listed = (await api.client.get(OPERATIONS)).json()
        assert [each["operation_id"] for each in listed["operations"]] == [operation_id]
        assert sorted(batch_id for batch_id, _ in decisions(api.cluster, operation_id)) == sorted(wanted)


async def test_named_batches_are_worked_and_one_that_does_not_exist_is_refused() -> None:
    async with world() as api:
        [batch_id] = await register(api)
        found = await ended(api, await start(api, filter=None, ids=[batch_id, "no such batch"], action="pause"))
        assert [(each["reason"], each["count"]) for each in found["results"]] == [
            ("batch_paused", 1),
            ("unknown_batch", 1),
        ]


async def test_a_filter_can_be_the_query_of_a_list() -> None:
    async with world() as api:
        await register(api, 2)
        found = await ended(api, await start(api, filter="?status=awaiting_content_validation&course=SV1"))
        assert found["applied"] == 2


@pytest.mark.parametrize(
    ("action", "given"),
    [
        ("cancel", {}),
        ("cancel", None),
        ("cancel", ""),
        ("discard-dead-letters", {}),
        ("discard-dead-letters", {"state": "open"}),
    ],
)
async def test_an_operation_on_everything_is_refused(action: str, given: object) -> None:
    asked = CANCEL | {"filter": given, "action": action}
    async with world() as api:
        for dry_run in (True, False):
            answer = await api.client.post(OPERATIONS, json=asked | {"dry_run": dry_run})
            assert (answer.status_code, answer.json()["code"]) == (422, "ORC-OPERATION-FILTER")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"action": "delete"}, "ORC-REQUEST-BODY"),
        ({"reason": ""}, "ORC-REQUEST-BODY"),
        ({"ids": ["a"]}, "ORC-REQUEST-BODY"),
        ({"phase": "spellcheck"}, "ORC-REQUEST-BODY"),
        ({"action": "retry"}, "ORC-REQUEST-BODY"),
        ({"filter": {"statuses": "x"}}, "ORC-FILTER"),
        ({"surprise": 1}, "ORC-REQUEST-BODY"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(changes: dict[str, Any], code: str) -> None:
    async with world() as api:
        answer = await api.client.post(OPERATIONS, json=CANCEL | changes)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_dry_run_tells_what_would_be_decided_and_begins_nothing() -> None:
    async with world() as api:
        batches = await register(api, 3)
        await api.client.post(f"/v1/batches/{batches[0]}/cancel", json={})
        answer = await api.client.post(OPERATIONS, json=CANCEL | {"dry_run": True})
        found = answer.json()
        assert (answer.status_code, found["fits"], found["sampled"]) == (200, 3, 3)
        assert [(each["disposition"], each["reason"], each["count"]) for each in found["results"]] == [
            ("applied", "batch_cancelled", 2),
            ("refused", "batch_ended", 1),
        ]
        assert [each["id"] for each in found["refused"]] == [batches[0]]
        assert found["sentence"].startswith("3 batches fit now.")
        assert (await api.client.get(OPERATIONS)).json()["operations"] == []
        assert sum(batch.status.terminal for batch in api.cluster.batches.values()) == 1


async def test_a_repeat_with_the_same_key_is_the_same_operation() -> None:
    key = {"Idempotency-Key": "once"}
    async with world() as api:
        await register(api, 2)
        first = await api.client.post(OPERATIONS, json=CANCEL, headers=key)
        again = await api.client.post(OPERATIONS, json=CANCEL, headers=key)
        assert first.json()["operation_id"] == again.json()["operation_id"]
        other = await api.client.post(OPERATIONS, json=CANCEL | {"reason": "another"}, headers=key)
        assert (other.status_code, other.json()["code"]) == (422, "ORC-KEY-REUSED")


async def test_an_operation_of_somebody_else_is_not_seen_and_not_stopped() -> None:
    async with world() as api:
        await register(api)
        operation_id = await start(api)
        for answer in (
            await api.client.get(f"{OPERATIONS}/{operation_id}", headers=FOREIGN),
            await api.client.post(f"{OPERATIONS}/{operation_id}/stop", headers=FOREIGN),
            await api.client.get(f"{OPERATIONS}/none"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "ORC-OPERATION-NOT-FOUND")
        assert (await api.client.get(OPERATIONS, headers=FOREIGN)).json()["operations"] == []


async def test_a_caller_reaches_its_own_batches_alone() -> None:
    async with world() as api:
        await register(api, 2)
        answer = await api.client.post(OPERATIONS, json=CANCEL, headers=FOREIGN)
        assert answer.json()["expected"] == 0
        letters = await api.client.post(
            OPERATIONS, json=CANCEL | {"action": "replay-dead-letters", "filter": {"code": "X"}}, headers=FOREIGN
        )
        assert (letters.status_code, letters.json()["code"]) == (403, "ORC-SCOPE")


async def test_an_operation_is_stopped_after_the_items_in_work() -> None:
    cluster = MemoryCluster()
    async with world(cluster, response_timeout_s=0.2) as api:
        await register(api, 30)
        cluster.deciding = False
        operation_id = await start(api)

        async def waits() -> bool:
            return bool(cluster.requests)

        await until(waits)
        answer = await api.client.post(f"{OPERATIONS}/{operation_id}/stop")
        assert answer.json()["stopping"]
        found = await ended(api, operation_id)
        assert (found["state"], found["stopped_by"], found["done"]) == ("stopped", "anonymous", 0)
        again = await api.client.post(f"{OPERATIONS}/{operation_id}/stop")
        assert again.json()["state"] == "stopped"


@pytest.mark.slow
async def test_an_operation_waits_while_kafka_is_away_and_says_so() -> None:
    cluster = MemoryCluster()
    async with world(cluster, response_timeout_s=0.2) as api:
        await register(api, 3)
        cluster.deciding = False
        operation_id = await start(api)

        async def waits() -> bool:
            found = (await api.client.get(f"{OPERATIONS}/{operation_id}")).json()
            return found["waiting_for"] is not None

        await until(waits)
        cluster.deciding = True
        cluster.decide_all()
        found = await ended(api, operation_id)
        assert (found["applied"], found["waiting_for"]) == (3, None)
        assert sorted({batch for batch, _ in decisions(cluster, operation_id)}) == sorted(cluster.batches)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecordTooLarge("The record is too large.", next_step="None."), "ORC-TOO-LARGE"),
        (KeyError("a defect"), "ORC-INTERNAL"),
    ],
)
async def test_an_item_that_no_repeat_can_mend_is_given_up_with_its_code(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    async with world() as api:
        batches = await register(api, 3)
        work = ItemWorker.work

        async def failing(worker: ItemWorker, record: OperationRecord, item: str) -> Outcome:
            if item == batches[1]:
                raise error
            return await work(worker, record, item)

        monkeypatch.setattr(ItemWorker, "work", failing)
        found = await ended(api, await start(api))
        assert (found["state"], found["done"], found["applied"]) == ("finished", 3, 2)
        assert found["refused"] == [{"id": batches[1], "disposition": "quarantined", "reason": code}]
        assert found["failure"] is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidCursor("The cursor is of another list.", next_step="None."), "ORC-CURSOR"),
        (KeyError("a defect"), "ORC-INTERNAL"),
    ],
)
async def test_an_operation_that_no_repeat_can_mend_fails_with_its_code(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    async def failing(*_: object) -> Page:
        raise error

    async with world() as api:
        await register(api, 3)
        monkeypatch.setattr(ProjectionSelection, "page", failing)
        operation_id = await start(api)
        found = await ended(api, operation_id)
        assert (found["state"], found["done"], found["failure"]["code"]) == ("failed", 0, code)
        assert found["failure"]["detail"]
        again = await api.client.post(f"{OPERATIONS}/{operation_id}/stop")
        assert again.json()["state"] == "failed"


@pytest.mark.slow
async def test_the_next_start_of_the_api_goes_on_with_an_operation() -> None:
    cluster = MemoryCluster()
    projection = MemoryProjection(cluster)
    async with world(cluster, projection, response_timeout_s=0.2) as api:
        await register(api, 4)
        cluster.deciding = False
        operation_id = await start(api)

        async def waits() -> bool:
            return bool(cluster.requests)

        await until(waits)
    cluster.deciding = True
    async with world(cluster, projection) as api:
        found = await ended(api, operation_id)
    assert (found["state"], found["applied"], found["done"]) == ("finished", 4, 4)


def abandoned(batches: list[str], runner: str) -> OperationRecord:
    """Return an operation with a page in work."""
    return OperationRecord(
        writer=OPERATION.version,
        least_reader=OPERATION.least_reader,
        operation_id="4c152a9b-d7e7-58da-a8f2-2cf175e883f3",
        action=OperationAction.CANCEL,
        principal=Principal(scopes=("batches:write", ANY_OWNER)),
        reason="a wrong import",
        fingerprint="1:",
        ids=tuple(batches),
        created_ms=1,
        updated_ms=1,
        state=OperationState.RUNNING,
        runner=runner,
        expected=len(batches),
        page=tuple(batches),
        last_page=True,
    )


@pytest.mark.slow
async def test_an_operation_whose_worker_was_killed_is_taken_up_after_its_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as api:
        batches = await register(api, 3)
        record = abandoned(batches, "a worker that was killed")
        monkeypatch.setattr(keeper_module, "LEASE_S", 0.01)
        api.cluster.append(operation_outgoing(record), marker=False)
        found = await ended(api, record.operation_id)
    assert (found["state"], found["applied"]) == ("finished", 3)


@pytest.mark.slow
async def test_an_operation_that_was_left_is_taken_up_by_one_of_several() -> None:
    cluster = MemoryCluster()
    projection = MemoryProjection(cluster)
    async with world(cluster, projection) as one, world(cluster, projection) as other:
        batches = await register(one, 20)
        record = abandoned(batches, "")
        cluster.append(operation_outgoing(record), marker=False)
        found = await ended(one, record.operation_id)
        assert await ended(other, record.operation_id) == found
        assert (found["state"], found["applied"]) == ("finished", 20)
        assert sorted(decisions(cluster, record.operation_id)) == sorted((each, "applied") for each in batches)


async def test_dead_letters_are_worked_by_an_operation() -> None:
    async with world() as api:
        for number in range(3):
            api.cluster.decide(b"not JSON", number)
        asked = {"action": "discard-dead-letters", "filter": {"code": "ORC-NOT-JSON"}, "reason": "of a test"}
        previewed = (await api.client.post(OPERATIONS, json=asked | {"dry_run": True})).json()
        assert [(each["disposition"], each["count"]) for each in previewed["results"]] == [("applied", 3)]
        found = await ended(api, await start(api, **asked))
        assert found["results"] == [{"disposition": "applied", "reason": "discarded", "count": 3}]
        letters = (await api.client.get("/v1/dead-letters", params={"state": "discarded"})).json()["dead_letters"]
        assert len(letters) == 3
        assert all(found["operation_id"] in str(letter) for letter in letters)


async def test_registrations_go_on_beside_an_operation() -> None:
    async with world() as api:
        await register(api, 60)
        operation_id = await start(api)
        async with asyncio.timeout(PATIENCE_S):
            answer = await api.client.post("/v1/batches/register", json=seed_body())
        assert answer.status_code == 202
        found = await ended(api, operation_id)
        assert found["applied"] == 60, "what was registered later was not meant"
