"""Registering over HTTP: what is answered when, and what is written to Kafka."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from schemas.topics import Topic
from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import MemoryCluster, until, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"
SAMPLES: list[dict[str, Any]] = json.loads(Path("tests/data/samples/http_register_batch.json").read_text())["requests"]
# The numeric string is taken leniently, a course outside the later list falls back: the remarks begin with the verdict.
VERDICTS = {
    "numeric_string_count": 202,
    "course_outside_enum": 202,
    "client_correlation": 202,
    "bad_client_correlation": 202,
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["name"])
async def test_every_sample_gets_its_verdict(sample: dict[str, Any]) -> None:
    raw = sample.get("raw_body") or json.dumps(sample.get("body"))
    expected = VERDICTS.get(sample["name"], sample["recommended_status"])
    async with world() as api:
        response = await api.client.request(sample["method"], sample["path"], content=raw, headers=sample["headers"])
    assert response.status_code == expected, response.text
    body = response.json()
    if expected == 202:
        assert set(body) == set(sample["observed_seed_body_keys"])
        assert body["status"] == "registered"
        given = sample["headers"].get("X-Correlation-ID", "")
        if given.count("-") == 4:
            assert body["correlation_id"] == given
        assert response.headers["X-Correlation-ID"] == body["correlation_id"]
        UUID(body["batch_id"])
    else:
        assert response.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code", "next_step", "instance", "error"} <= set(body)
        assert body["status"] == expected
        if "details" in sample["observed_seed_body_keys"]:
            assert body["error"] == "Validation Error"
            assert body["details"]


async def test_the_head_eras_body_is_taken() -> None:
    async with world() as api:
        response = await api.client.post(REGISTER, json=head_body(class_id="class-1", assignment_id="a"))
    assert response.status_code == 202


async def test_a_pipeline_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    async with world() as api:
        assert (await api.client.post(REGISTER, json=head_body(pipeline="default"))).status_code == 202
        refused = await api.client.post(REGISTER, json=head_body(pipeline="essays"))
        malformed = await api.client.post(REGISTER, json=head_body(pipeline=7))
    assert refused.status_code == 422
    assert "'essays' is no pipeline here; there are default" in refused.json()["detail"]
    assert malformed.status_code == 400


async def test_the_request_is_written_once_under_the_batch_id() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False
    async with world(cluster, response_timeout_s=0.2) as api:
        response = await api.client.post(REGISTER, json=seed_body(foo=1), headers={"X-User-ID": "u", "X-Org-ID": "o"})
    assert response.status_code == 503
    ((key, value),) = cluster.requests
    data = json.loads(value)["data"]
    assert data["body"] == seed_body(foo=1), "the body is verbatim"
    assert key.decode() == data["batch_id"]
    assert (data["principal"]["subject"], data["principal"]["organisation"]) == ("u", "o")
    assert not data["principal"].get("verified", False)


async def test_defect_24_no_202_before_the_registration_is_decided_and_committed() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False

    async def written() -> bool:
        return bool(cluster.requests)

    async with world(cluster) as api:
        asking = asyncio.create_task(api.client.post(REGISTER, json=seed_body()))
        await until(written)
        # An answer that the tail's reading to the end leads to; one to the registration would have come before it.
        assert (await api.client.get("/v1/batches/nobody/status")).status_code == 404
        assert not asking.done(), "it was answered before anything was decided"
        cluster.decide_all()
        response = await asking
    assert response.status_code == 202


async def test_defect_23_a_request_that_is_not_written_leaves_no_batch() -> None:
    async with world() as api:
        api.cluster.unreachable = "All brokers are down."
        response = await api.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        assert response.status_code == 503
        problem = response.json()
        assert problem["code"] == "ORC-BROKER"
        assert "All brokers are down" in problem["detail"]
        assert "Idempotency-Key" in problem["next_step"]
        assert int(response.headers["Retry-After"]) > 0
        api.cluster.unreachable = None
        assert (await api.client.get(f"/v1/batches/{problem['batch_id']}/status")).status_code == 404
        again = await api.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        assert again.status_code == 202
        assert again.json()["batch_id"] == problem["batch_id"]


async def test_without_a_decision_in_time_it_says_where_to_look() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False
    async with world(cluster, response_timeout_s=0.1) as api:
        response = await api.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        problem = response.json()
        assert response.status_code == 503
        assert problem["code"] == "ORC-NO-ANSWER"
        assert "durable" in problem["detail"]
        assert "Idempotency-Key" in problem["next_step"]
        assert "repeating it with the same Idempotency-Key is safe" in problem["detail"]
        assert response.headers["Location"] == f"/v1/batches/{problem['batch_id']}/status"
        assert int(response.headers["Retry-After"]) > 0
    cluster.decide_all()
    cluster.deciding = True
    async with world(cluster) as api:
        again = await api.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        assert again.status_code == 202
        assert again.json()["batch_id"] == problem["batch_id"]
        assert (await api.client.get(response.headers["Location"])).status_code == 200


@pytest.mark.slow
async def test_a_decision_that_is_not_visible_in_time_is_answered_and_leaves_no_error_behind() -> None:
    async with world() as api:  # it waits for two seconds, then answers
        api.cluster.hidden = {partition for partition in api.cluster.logs if partition.topic is Topic.STATUS}
        response = await api.client.post(REGISTER, json=seed_body())
        gc.collect()  # a task whose exception nobody retrieved is told of when it is collected, and fails the test
        await asyncio.sleep(0)
    assert response.status_code == 202


async def test_without_a_key_it_says_that_a_repeat_is_another_batch() -> None:
    cluster = MemoryCluster()
    cluster.deciding = False
    async with world(cluster, response_timeout_s=0.1) as api:
        problem = (await api.client.post(REGISTER, json=seed_body())).json()
    assert problem["code"] == "ORC-NO-ANSWER"
    assert "a repeat is another batch" in problem["next_step"]


async def test_a_repeat_with_its_key_gets_the_first_answer() -> None:
    first_id, second_id = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    async with world() as api:
        first = await api.client.post(
            REGISTER, json=seed_body(), headers={"Idempotency-Key": "k", "X-Correlation-ID": first_id}
        )
        second = await api.client.post(
            REGISTER, json=seed_body(), headers={"Idempotency-Key": "k", "X-Correlation-ID": second_id}
        )
    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert first.json()["correlation_id"] == first_id


async def test_a_key_used_again_with_another_body_is_refused() -> None:
    async with world() as api:
        await api.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": "k"})
        other = await api.client.post(REGISTER, json=seed_body(teacher_name="X"), headers={"Idempotency-Key": "k"})
    assert other.status_code == 422
    assert other.json()["code"] == "ORC-KEY-REUSED"
    assert other.json()["reason"] == "key_reused"


async def test_keys_stand_in_the_scope_of_who_asks() -> None:
    async with world() as api:
        answers = [
            await api.client.post(REGISTER, json=body, headers={"Idempotency-Key": "k", **headers})
            for body, headers in (
                (seed_body(), {}),
                (head_body(user_id="a"), {}),
                (head_body(user_id="b"), {}),
                (seed_body(), {"X-User-ID": "u"}),
                (seed_body(), {"X-User-ID": "u", "X-Org-ID": "o"}),
            )
        ]
    assert [answer.status_code for answer in answers] == [202] * 5
    assert len({answer.json()["batch_id"] for answer in answers}) == 5


async def test_without_a_key_each_call_is_a_batch_of_its_own() -> None:
    async with world() as api:
        ids = {(await api.client.post(REGISTER, json=seed_body())).json()["batch_id"] for _ in range(3)}
    assert len(ids) == 3


async def test_too_many_essays_are_refused_with_the_limit() -> None:
    async with world() as api:
        response = await api.client.post(REGISTER, json=seed_body(expected_essay_count=5001))
    assert response.status_code == 400
    assert "5000" in response.json()["detail"]
    assert api.cluster.requests == []


async def test_what_the_peers_era_cannot_take_is_unprocessable() -> None:
    async with world(MemoryCluster(peer_era="head")) as api:
        response = await api.client.post(REGISTER, json=head_body(course_code="CS101"))
    assert response.status_code == 422
    assert response.json()["code"] == "ORC-ERA-GAP"


async def test_a_body_above_the_limit_is_too_large_declared_or_not() -> None:
    async with world(max_input_bytes=2_000) as api:
        large = json.dumps(seed_body(essay_instructions="x" * 3_000)).encode()
        declared = await api.client.post(REGISTER, content=large, headers={"Content-Type": "application/json"})

        async def chunks() -> Any:
            yield large[:1500]
            yield large[1500:]

        streamed = await api.client.post(REGISTER, content=chunks(), headers={"Content-Type": "application/json"})
    for response in (declared, streamed):
        assert response.status_code == 413
        assert response.json()["limit_bytes"] == 2_000


async def test_a_record_that_the_topic_does_not_take_is_too_large() -> None:
    async with world() as api:
        api.cluster.too_large = True
        assert (await api.client.post(REGISTER, json=seed_body())).status_code == 413


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tkey"])
async def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    async with world() as api:
        response = await api.client.post(REGISTER, json=seed_body(), headers={"Idempotency-Key": key})
    assert response.status_code == 400
    assert response.json()["code"] == "ORC-HEADER"


async def test_defect_38_error_details_are_plain_json_without_what_was_sent() -> None:
    secret = "s3cret-value"
    async with world() as api:
        response = await api.client.post(
            REGISTER, json=seed_body(essay_ids=["a"], expected_essay_count=2, cj_default_temperature=secret)
        )
        mismatch = await api.client.post(REGISTER, json=seed_body(essay_ids=["a"], expected_essay_count=2))
    assert response.status_code == mismatch.status_code == 400
    assert secret not in response.text
    for fault in response.json()["details"] + mismatch.json()["details"]:
        assert set(fault) == {"type", "loc", "msg"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"1",
        b'"text"',
        b"\xff\xfe{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b'{"a": 9007199254740993}',
        b'{"expected_essay_count": 3, "expected_essay_count": 4}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a":' + b"[" * 40_000 + b"]" * 40_000 + b"}",
        b'{"a":' + b"[" * 70 + b"]" * 70 + b"}",
        b"\xef\xbb\xbf{}",
    ],
    ids=range(17),
)
async def test_defect_42_what_is_no_json_object_is_a_bad_request(raw: bytes) -> None:
    async with world() as api:
        response = await api.client.post(REGISTER, content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code == 400, response.text
    assert response.json()["error"] == "Request body must be valid JSON"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
async def test_defect_42_another_content_type_is_a_bad_request(content_type: str) -> None:
    async with world() as api:
        response = await api.client.post(
            REGISTER, content=json.dumps(seed_body()), headers={"Content-Type": content_type}
        )
    assert response.status_code == 400
    assert response.json()["code"] == "ORC-CONTENT-TYPE"


async def test_nothing_is_taken_before_the_log_is_read_to_its_end() -> None:
    cluster = MemoryCluster()
    cluster.unreachable = "All brokers are down."
    async with world(cluster, wait_ready=False) as api:
        response = await api.client.post(REGISTER, json=seed_body())
        assert (await api.client.get("/readyz")).status_code == 503
        assert (await api.client.get("/livez")).status_code == 200
    assert response.status_code == 503
    assert response.json()["code"] == "ORC-NOT-READY"
    assert cluster.requests == []
