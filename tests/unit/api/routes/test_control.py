"""Requests to control a batch over HTTP: what is written to Kafka, and what is answered when."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response

from schemas.internal.dead_letters import dead_letter
from schemas.internal.outgoing import RecordPosition
from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import MemoryCluster, World, until, world

pytestmark = pytest.mark.anyio
KINDS = ("cancel", "pause", "resume", "retry")
BODIES: dict[str, dict[str, Any]] = {kind: {"reason": f"why {kind}"} for kind in KINDS}
BODIES["retry"]["phase"] = "spellcheck"


async def registered(api: World, body: dict[str, Any] | None = None, **headers: str) -> str:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await api.client.post("/v1/batches/register", json=body or seed_body(), headers=names)
    assert response.status_code == 202, response.text
    return str(response.json()["batch_id"])


async def ask(api: World, batch_id: str, kind: str, body: Any = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/v1/batches/{quote(batch_id, safe='')}/{kind}"
    return await api.client.post(path, json=BODIES[kind] if body is None else body, headers=names)


def written(cluster: MemoryCluster) -> list[dict[str, Any]]:
    return [json.loads(value)["data"] for _, value in cluster.requests]


def silent() -> MemoryCluster:
    cluster = MemoryCluster()
    cluster.deciding = False
    return cluster


@pytest.mark.parametrize("kind", KINDS)
async def test_the_request_is_written_under_the_batch_id_with_who_asks_and_why(kind: str) -> None:
    cluster = silent()
    async with world(cluster, response_timeout_s=0.1) as api:
        response = await ask(api, "b/1", kind, X_User_ID="u", X_Org_ID="o", If_Match='"17"')
    assert response.status_code == 503
    ((key, value),) = cluster.requests
    data = json.loads(value)["data"]
    assert key == b"b/1"
    assert (data["batch_id"], data["kind"]) == ("b/1", kind)
    assert (data["principal"]["subject"], data["principal"]["organisation"]) == ("u", "o")
    assert "batches:any-owner" not in data["principal"]["scopes"]
    assert data["body"] == {**BODIES[kind], "if_version": 17}


@pytest.mark.parametrize("kind", KINDS)
async def test_without_a_decision_in_time_it_says_that_the_request_is_durable(kind: str) -> None:
    async with world(silent(), response_timeout_s=0.1) as api:
        for headers, advice in (({"Idempotency_Key": "k"}, "same Idempotency-Key"), ({}, "another request")):
            response = await ask(api, "b", kind, **headers)
            problem = response.json()
            assert (response.status_code, problem["code"]) == (503, "ORC-NO-ANSWER")
            assert "durable" in problem["detail"]
            assert advice in problem["next_step"]
            assert response.headers["Location"] == "/v1/batches/b/status"
            assert int(response.headers["Retry-After"]) > 0


async def test_nothing_is_answered_before_the_decision() -> None:
    cluster = silent()

    async def is_written() -> bool:
        return bool(cluster.requests)

    async with world(cluster) as api:
        asking = asyncio.create_task(ask(api, "b", "cancel"))
        await until(is_written)
        assert (await api.client.get("/v1/batches/nobody/status")).status_code == 404
        assert not asking.done()
        cluster.decide_all()
        assert (await asking).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_id", ["nobody", "a/b", "..", "%2F", "?#", "å b", "x" * 255])
async def test_an_unknown_batch_is_not_found_whatever_its_id(kind: str, batch_id: str) -> None:
    cluster = silent()
    async with world(cluster) as api:
        for path, query in ((f"{quote(batch_id, safe='')}/{kind}", {}), (kind, {"batch_id": batch_id})):
            if batch_id == ".." and not query:
                continue  # the client resolves it away
            cluster.deciding = True
            response = await api.client.post(f"/v1/batches/{path}", json=BODIES[kind], params=query)
            assert (response.status_code, response.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND"), response.text
            assert response.json()["batch_id"] == batch_id


@pytest.mark.parametrize("batch_id", ["x" * 256, "a\nb", "a\x00b", "a\x9fb", ""])
async def test_an_id_that_cannot_be_is_not_found_and_nothing_is_written(batch_id: str) -> None:
    cluster = silent()
    async with world(cluster) as api:
        response = await api.client.post("/v1/batches/cancel", json={}, params={"batch_id": batch_id})
    assert (response.status_code, response.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND")
    assert cluster.requests == []


async def test_a_path_that_is_not_utf_8_is_not_found() -> None:
    async with world() as api:
        assert (await api.client.post("/v1/batches/%FF/cancel", json={})).status_code == 404


@pytest.mark.parametrize("kind", KINDS)
async def test_a_batch_of_somebody_else_looks_like_none(kind: str) -> None:
    async with world() as api:
        batch_id = await registered(api, X_User_ID="ms-berg")
        foreign = await ask(api, batch_id, kind, X_User_ID="mr-lind")
        none = await ask(api, "nobody", kind, X_User_ID="mr-lind")
        get = await api.client.get(f"/v1/batches/{batch_id}/status", headers={"X-User-ID": "mr-lind"})
    assert foreign.status_code == none.status_code == get.status_code == 404
    same = ("type", "title", "detail", "code", "next_step")
    assert [foreign.json()[name] for name in same] == [none.json()[name] for name in same]
    assert "version" not in foreign.json()


async def test_the_body_may_be_absent_except_of_a_retry() -> None:
    cluster = silent()
    async with world(cluster, response_timeout_s=0.05) as api:
        for kind in ("cancel", "pause", "resume"):
            assert (await api.client.post(f"/v1/batches/b/{kind}")).status_code == 503
        retry = await api.client.post("/v1/batches/b/retry")
        text = await api.client.post("/v1/batches/b/cancel", content=b"{}")
    assert [data["body"] for data in written(cluster)] == [{}, {}, {}]
    assert (retry.status_code, retry.json()["code"]) == (400, "ORC-CONTENT-TYPE")
    assert (text.status_code, text.json()["code"]) == (400, "ORC-CONTENT-TYPE")


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("cancel", {"reason": "x" * 501}, "reason"),
        ("pause", {"if_version": "7"}, "if_version"),
        ("resume", {"if_version": -1}, "if_version"),
        ("retry", {}, "phase"),
        ("retry", {"phase": "p", "essays": []}, "essays"),
        ("retry", {"phase": "p", "essays": ["a\u0000"]}, "essays"),
    ],
)
async def test_a_body_that_breaks_its_model_is_refused_before_it_is_written(
    kind: str, body: dict[str, Any], field: str
) -> None:
    cluster = silent()
    async with world(cluster) as api:
        for query in ("", "?dry_run=true"):
            response = await api.client.post(f"/v1/batches/b/{kind}{query}", json=body)
            assert (response.status_code, response.json()["code"]) == (400, "ORC-REQUEST-BODY")
            assert response.json()["details"][0]["loc"][0] == field
    assert cluster.requests == []


@pytest.mark.parametrize("tag", ["seventeen", '"a"', '"1", "2"', '"-1"', '"99999999999999999999"', '""'])
async def test_if_match_is_one_version(tag: str) -> None:
    cluster = silent()
    async with world(cluster) as api:
        response = await ask(api, "b", "cancel", If_Match=tag)
    assert (response.status_code, response.json()["code"]) == (400, "ORC-HEADER")
    assert cluster.requests == []


async def test_if_match_and_the_body_name_the_same_version() -> None:
    cluster = silent()
    async with world(cluster, response_timeout_s=0.05) as api:
        differ = await ask(api, "b", "cancel", {"if_version": 1}, If_Match='"2"')
        for tag in ('"3"', 'W/"3"', "3", "*"):
            await ask(api, "b", "cancel", {"if_version": 3}, If_Match=tag)
        await ask(api, "b", "cancel", {}, If_Match="*")
    assert (differ.status_code, differ.json()["code"]) == (400, "ORC-HEADER")
    assert [data["body"].get("if_version") for data in written(cluster)] == [3, 3, 3, 3, None]


async def test_one_key_is_one_request_of_a_caller_about_a_batch() -> None:
    cluster = silent()
    async with world(cluster, response_timeout_s=0.05) as api:
        for batch_id, headers in (
            ("b", {}),
            ("b", {}),
            ("c", {}),
            ("b", {"X_User_ID": "u"}),
            ("b", {"X_User_ID": "u", "X_Org_ID": "o"}),
        ):
            await ask(api, batch_id, "pause", Idempotency_Key="k", **headers)
        await ask(api, "b", "pause")
        await ask(api, "b", "pause")
        bad = await ask(api, "b", "pause", Idempotency_Key="x" * 256)
    ids = [data["request_id"] for data in written(cluster)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == len(ids) - 1
    assert (bad.status_code, bad.json()["code"]) == (400, "ORC-HEADER")


async def test_who_may_not_write_is_refused() -> None:
    cluster = silent()
    async with world(cluster, anonymous_scopes=("batches:read",)) as api:
        response = await ask(api, "b", "cancel")
    assert (response.status_code, response.json()["code"]) == (403, "ORC-SCOPE")
    assert cluster.requests == []


async def test_a_request_that_is_not_written_is_not_durable() -> None:
    async with world() as api:
        api.cluster.unreachable = "All brokers are down."
        response = await ask(api, "b", "cancel")
    assert (response.status_code, response.json()["code"]) == (503, "ORC-BROKER")
    assert "durable" not in response.text


async def test_a_request_that_becomes_a_dead_letter_is_told() -> None:
    cluster = silent()

    async def is_written() -> bool:
        return bool(cluster.requests)

    async with world(cluster) as api:
        asking = asyncio.create_task(ask(api, "b", "cancel"))
        await until(is_written)
        request_id = written(cluster)[0]["request_id"]
        at = RecordPosition("huleedu.batch.requests.v1", 0, 0)
        cluster.append(
            dead_letter(value=b"", key=None, first=at, code="ORC-FIELDS", reason="no", request_id=request_id)
        )
        response = await asking
    assert (response.status_code, response.json()["code"]) == (422, "ORC-UNDECODABLE")


async def test_registrations_under_way_do_not_keep_an_operator_out() -> None:
    cluster = silent()
    async with world(cluster, max_concurrent_registrations=1) as api:
        registering = asyncio.create_task(api.client.post("/v1/batches/register", json=head_body()))

        async def is_written() -> bool:
            return bool(cluster.requests)

        await until(is_written)
        cancelling = asyncio.create_task(ask(api, "nobody", "cancel"))

        async def both() -> bool:
            return len(cluster.requests) == 2

        await until(both)
        busy = await ask(api, "nobody", "cancel")
        assert (busy.status_code, busy.json()["code"]) == (503, "ORC-BUSY")
        cluster.decide_all()
        assert (await registering).status_code == 202
        assert (await cancelling).status_code == 404


async def test_another_method_is_refused() -> None:
    async with world() as api:
        for path in ("/v1/batches/b/cancel", "/v1/batches/retry"):
            response = await api.client.get(path)
            assert (response.status_code, response.headers["Allow"]) == (405, "POST")
