"""What is settled before a request is routed."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from httpx import AsyncClient
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.admission import AdmissionMiddleware
from api.errors import Problem
from api.headers import header
from api.paths import status_path
from schemas.internal.events import Principal
from schemas.public.requests import RequestKind, request_record
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, World, until, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"
JSON = (b"content-type", b"application/json")
STRANGE_IDS = [
    "a/b",
    "/",
    "..",
    ".",
    "...",
    "%",
    "%2F",
    "%2e%2e",
    "?",
    "#",
    "a b",
    "+",
    "'\"",
    "\\",
    ";=&",
    "å",
    "👩‍👩‍👧",
    "~-_",
]


def register_over_kafka(api: World, batch_id: str) -> None:
    value = request_record(
        request_id=f"request of {batch_id}",
        kind=RequestKind.REGISTER,
        batch_id=batch_id,
        principal=Principal(),
        correlation_id=None,
        body=seed_body(),
        now=datetime.now(UTC),
    )
    api.cluster.decide(value, len(api.cluster.batches))


async def test_every_id_that_is_taken_can_be_read() -> None:
    async with world() as api:
        for batch_id in STRANGE_IDS:
            register_over_kafka(api, batch_id)
        for batch_id in STRANGE_IDS:
            paths = [status_path(batch_id), str(httpx.URL("/v1/batches/status", params={"batch_id": batch_id}))]
            for path in paths:
                response = await api.client.get(path)
                assert response.status_code == 200, path
                assert response.json()["batch_id"] == batch_id


async def test_an_id_that_cannot_be_is_not_found() -> None:
    async with world() as api:
        for segment in ("%00", "a%0Ab", "%FF", "%C2%85", "%ED%A0%80"):
            response = await api.client.get(f"/v1/batches/{segment}/status")
            assert (response.status_code, response.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND"), segment


async def test_a_slash_at_the_end_is_served_and_counted_as_the_same_route() -> None:
    async with world() as api:
        answer = await api.client.post(f"{REGISTER}/", json=seed_body())
        assert answer.status_code == 202
        assert (await api.client.get(f"{answer.headers['Location']}/")).status_code == 200
        assert (await api.client.get("/healthz/")).status_code == 200
        metrics = (await api.client.get("/metrics/")).text
    assert f'endpoint="{REGISTER}"' in metrics


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"])
async def test_head_is_answered_as_get_without_a_body(path: str) -> None:
    async with world() as api:
        got, head = await api.client.get(path), await api.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
        assert 'method="HEAD"' in (await api.client.get("/metrics")).text


async def test_head_on_a_batch_and_on_what_takes_posts_alone() -> None:
    async with world() as api:
        location = (await api.client.post(REGISTER, json=seed_body())).headers["Location"]
        assert (await api.client.head(location)).status_code == 200
        assert (await api.client.head(REGISTER)).status_code == 405


# -------------------------------------------------------------------------------------------------------- headers


async def post(client: AsyncClient, *headers: tuple[bytes, bytes], **body: Any) -> httpx.Response:
    content = httpx.Request("POST", "http://api", json=seed_body(**body)).content
    names = {name.lower() for name, _ in headers}
    return await client.post(REGISTER, content=content, headers=[*headers, *([] if JSON[0] in names else [JSON])])


@pytest.mark.parametrize("name", [b"X-User-ID", b"X-Org-ID", b"Idempotency-Key", b"X-Correlation-ID", b"Content-Type"])
async def test_a_header_given_twice_is_refused(name: bytes) -> None:
    value = b"application/json" if name == b"Content-Type" else b"4c152a9b-d7e7-58da-a8f2-2cf175e883f3"
    async with world() as api:
        response = await post(api.client, (name, value), (name, value))
        assert (response.status_code, response.json()["code"]) == (400, "ORC-HEADER-REPEATED")
        assert name.decode().lower() in response.json()["detail"]
        assert (await post(api.client, (name, value))).status_code == 202


async def test_a_header_is_read_as_the_utf_8_that_it_is() -> None:
    async with world() as api:
        answer = await post(api.client, (b"X-User-ID", "Åsa 👩‍👧".encode()), (b"X-Org-ID", b"skolan"))
        assert answer.status_code == 202
        batch = api.cluster.batches[answer.json()["batch_id"]]
        assert batch.owner.subject == "Åsa 👩‍👧"
        shown = await api.client.get(answer.headers["Location"], headers=[(b"X-User-ID", "Åsa 👩‍👧".encode())])
        assert shown.status_code == 404, "the organisation is missing"


@pytest.mark.parametrize("value", ["Åsa".encode("latin-1"), b"\xff", "a\x85".encode(), b"a\x7f"])
@pytest.mark.parametrize("name", [b"X-User-ID", b"X-Org-ID", b"Idempotency-Key", b"X-Correlation-ID"])
async def test_a_header_that_is_not_readable_text_is_refused_by_its_name(name: bytes, value: bytes) -> None:
    async with world() as api:
        response = await post(api.client, (name, value))
    assert (response.status_code, response.json()["code"]) == (400, "ORC-HEADER")
    assert name.decode().lower() in response.json()["detail"].lower()


def test_an_absent_header_is_none() -> None:
    assert header([], "x-user-id") is None
    with pytest.raises(Problem):
        header([(b"x-user-id", b"a"), (b"x-user-id", b"a")], "x-user-id")


# ----------------------------------------------------------------------------------------------------------- room


async def test_more_registrations_than_there_is_room_for_are_told_to_come_back() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False
    async with world(cluster, max_concurrent_registrations=2) as api:
        waiting = [asyncio.create_task(post(api.client)) for _ in range(2)]

        async def written() -> bool:
            return len(cluster.requests) == 2

        await until(written)
        refused = await post(api.client)
        assert (refused.status_code, refused.json()["code"]) == (503, "ORC-BUSY")
        assert int(refused.headers["Retry-After"]) > 0
        cluster.decide_all()
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {202}
        cluster.deciding = True
        assert (await post(api.client)).status_code == 202


async def test_health_is_told_whatever_the_load() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            entered.set()
            await release.wait()
        await Response("done")(scope, receive, send)

    app = AdmissionMiddleware(slow, max_requests=1)
    async with AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        waiting = asyncio.create_task(client.get("/slow"))
        await entered.wait()
        refused = await client.get("/v1/batches/b/status")
        assert (refused.status_code, refused.json()["code"]) == (503, "ORC-BUSY")
        for path in ("/healthz", "/livez", "/readyz", "/metrics"):
            assert (await client.get(path)).status_code == 200
        release.set()
        assert (await waiting).status_code == 200
        assert (await client.get("/v1/batches/b/status")).status_code == 200
