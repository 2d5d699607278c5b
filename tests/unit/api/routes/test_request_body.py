"""Which bodies are taken, what is said about the others, and what the event loop does meanwhile."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator

import pytest

from api.registration.service import check_registration
from api.routes.request_body import parse_object
from schemas.internal.events import Principal
from schemas.limits import Limits
from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import MemoryCluster, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"
JSON = "application/json"
RAW = json.dumps(seed_body()).encode()


async def refused(content: bytes, content_type: str = JSON, **headers: str) -> tuple[int, str, str]:
    async with world() as api:
        named = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        response = await api.client.post(REGISTER, content=content, headers=named)
    problem = response.json()
    return response.status_code, problem["code"], problem["detail"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (RAW.decode().encode("utf-8-sig"), "byte order mark"),
        (RAW.decode().encode("utf-16"), "UTF-16"),
        (RAW.decode().encode("utf-16-le"), "UTF-16-LE"),
        (RAW.decode().encode("utf-32"), "UTF-32"),
        (RAW.decode().encode("utf-32-be"), "UTF-32-BE"),
        (gzip.compress(RAW), "gzip"),
        (b'{"a": "\xe5"}', "UTF-8"),
    ],
)
async def test_another_encoding_is_named(content: bytes, words: str) -> None:
    status, code, detail = await refused(content)
    assert (status, code) == (400, "ORC-BAD-JSON")
    assert words in detail


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
async def test_a_content_encoding_is_not_supported(coding: str) -> None:
    status, code, detail = await refused(RAW, Content_Encoding=coding)
    assert (status, code) == (415, "ORC-CONTENT-ENCODING")
    assert coding in detail


@pytest.mark.parametrize("charset", ["iso-8859-1", "UTF-16", '"utf-16"'])
async def test_another_charset_is_refused_by_its_name(charset: str) -> None:
    status, code, detail = await refused(RAW, f"application/json; charset={charset}")
    assert (status, code) == (400, "ORC-CONTENT-TYPE")
    assert charset.strip('"').lower() in detail


@pytest.mark.parametrize("parameter", ["charset=utf-8", 'charset="UTF-8"', "charset=UTF8", "version=1"])
async def test_utf_8_may_be_named(parameter: str) -> None:
    async with world() as api:
        headers = {"Content-Type": f"{JSON}; {parameter}", "Content-Encoding": "identity"}
        assert (await api.client.post(REGISTER, content=RAW, headers=headers)).status_code == 202


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield RAW[:10]
        await asyncio.Event().wait()

    async with world(body_timeout_s=0.05) as api:
        response = await api.client.post(REGISTER, content=slow(), headers={"Content-Type": JSON})
    assert (response.status_code, response.json()["code"]) == (408, "ORC-BODY-TIMEOUT")
    assert response.headers["Connection"] == "close"


async def test_a_body_of_very_many_values_is_refused_before_it_is_parsed() -> None:
    raw = json.dumps(seed_body(padding=[1] * (Limits().json_values + 1))).encode()
    status, code, detail = await refused(raw)
    assert (status, code) == (400, "ORC-TOO-MANY-VALUES")
    assert str(Limits().json_values) in detail


async def test_very_many_faults_are_told_by_the_first_ones() -> None:
    async with world() as api:
        response = await api.client.post(
            REGISTER,
            json=head_body(
                expected_essay_count=1,
                essay_ids=[1] * 50_000,
                student_prompt_ref={"references": {f"type {number}": 1 for number in range(20_000)}},
            ),
        )
    assert response.status_code == 400
    assert len(response.content) < 20_000


@pytest.mark.parametrize(
    "body",
    [
        seed_body(padding=["0b352314-208c-5ed1-81ba-5ce3fbb9d912"] * 95_000),
        seed_body(padding=[{"a": 1.5}] * 45_000),
        seed_body(essay_instructions="a line\n" * 470_000),
    ],
    ids=["texts", "objects", "lines"],
)
async def test_the_event_loop_answers_others_while_a_large_body_is_worked_on(body: dict[str, object]) -> None:
    raw = json.dumps(body).encode()
    cluster = MemoryCluster()
    cluster.deciding = False
    started = time.thread_time()
    check_registration(parse_object(raw, Limits()), cluster.policy, Principal())
    whole = time.thread_time() - started
    async with world(cluster, response_timeout_s=0.05) as api:
        asking = asyncio.create_task(api.client.post(REGISTER, content=raw, headers={"Content-Type": JSON}))
        longest, before = 0.0, time.thread_time()
        while not cluster.requests and not asking.done():
            await asyncio.sleep(0)
            longest, before = max(longest, time.thread_time() - before), time.thread_time()
        response = await asking
    assert response.status_code == 503, response.text
    assert response.json()["code"] == "ORC-NO-ANSWER"
    # The loop's own processor time between two turns, so that a busy machine makes no difference.
    assert longest < whole / 3, f"the loop was held for {longest:.3f} s of {whole:.3f} s"
