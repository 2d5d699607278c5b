"""What a client is told of each decision on a request to control a batch, as its history record has it."""

import asyncio
import json
from typing import Any

import pytest
from httpx import Response
from msgspec.structs import replace

from api.control.refusals import NOT_FOUND, REFUSALS
from schemas.errors import ProjectionError
from schemas.internal.enums import BatchStatus, Disposition, ReasonCode
from schemas.internal.formats import HISTORY
from schemas.internal.history import Answer, HistoryRecord, Reason
from schemas.internal.records import history_outgoing
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, until, world

pytestmark = pytest.mark.anyio
ANSWER = Answer(batch_id="b", correlation_id="c", status=BatchStatus.PROCESSING_PIPELINES, version=17)


def decided(disposition: Disposition, reason: Reason, answer: Answer | None = ANSWER) -> HistoryRecord:
    return HistoryRecord(
        writer=HISTORY.version,
        least_reader=HISTORY.least_reader,
        batch_id="b",
        partition=0,
        offset=17,
        time_ms=1,
        kind="cancel",
        disposition=disposition,
        reason=reason,
        version=17,
        based_on=16,
        answer=answer,
        dead_letter_id="d" if disposition is Disposition.QUARANTINED else None,
    )


def again(first: Disposition, code: ReasonCode) -> HistoryRecord:
    reason = Reason(code=ReasonCode.REQUEST_ALREADY_DECIDED, status=first.value, detail=code.value)
    return decided(Disposition.DUPLICATE, reason)


async def told(api: World, history: HistoryRecord, batch_id: str = "b") -> Response:
    """Ask, and have the request decided as `history` says."""
    api.cluster.deciding = False
    api.cluster.requests.clear()

    async def is_written() -> bool:
        return bool(api.cluster.requests)

    asking = asyncio.create_task(api.client.post(f"/v1/batches/{batch_id}/cancel", json={}))
    await until(is_written)
    request_id: str = json.loads(api.cluster.requests[0][1])["data"]["request_id"]
    api.cluster.append(history_outgoing(replace(history, request_id=request_id, batch_id=batch_id)))
    return await asking


@pytest.mark.parametrize("code", [*REFUSALS, ReasonCode.STUDENT_MATCHING_STARTED])
async def test_a_refusal_and_its_repeat_are_told_alike_with_what_to_do(code: ReasonCode) -> None:
    async with world() as api:
        first = await told(api, decided(Disposition.REFUSED, Reason(code=code)))
        repeat = await told(api, again(Disposition.REFUSED, code))
    status = {ReasonCode.VERSION_CHANGED: 412, ReasonCode.KEY_REUSED: 422, ReasonCode.OVERSIZED: 422}.get(code, 409)
    for response in (first, repeat):
        problem = response.json()
        assert response.status_code == problem["status"] == status
        assert (problem["reason"], problem["batch_id"]) == (code.value, "b")
        assert (problem["batch_status"], problem["version"]) == ("processing_pipelines", 17)
        assert response.headers["ETag"] == '"17"'
        assert problem["detail"]
        assert problem["next_step"]
    assert first.json()["detail"] == repeat.json()["detail"]


@pytest.mark.parametrize("code", sorted(NOT_FOUND))
async def test_an_unknown_batch_and_that_of_somebody_else_are_told_alike(code: ReasonCode) -> None:
    async with world() as api:
        response = await told(api, decided(Disposition.REFUSED, Reason(code=code), None))
    assert (response.status_code, response.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND")
    assert "version" not in response.json()
    assert "ETag" not in response.headers


async def test_a_decision_that_failed_is_the_services_fault() -> None:
    async with world() as api:
        response = await told(api, decided(Disposition.QUARANTINED, Reason(code=ReasonCode.DECISION_FAILED), None))
    assert (response.status_code, response.json()["code"]) == (500, "ORC-QUARANTINED")
    assert response.json()["dead_letter_id"] == "d"


async def test_a_result_that_is_too_large_is_no_success() -> None:
    async with world() as api:
        response = await told(api, decided(Disposition.APPLIED, Reason(code=ReasonCode.OVERSIZED)))
    assert (response.status_code, response.json()["reason"]) == (422, "oversized")


async def test_an_applied_request_and_its_repeat_are_answered_with_the_decision() -> None:
    async with world() as api:
        batch_id = (await api.client.post("/v1/batches/register", json=seed_body())).json()["batch_id"]
        version = (await api.client.get(f"/v1/batches/{batch_id}/status")).json()["version"]
        answer = replace(ANSWER, batch_id=batch_id, version=version, status=BatchStatus.AWAITING_CONTENT_VALIDATION)
        applied = decided(Disposition.APPLIED, Reason(code=ReasonCode.BATCH_PAUSED), answer)
        first = await told(api, applied, batch_id)
        repeat = await told(api, replace(again(Disposition.APPLIED, ReasonCode.BATCH_PAUSED), answer=answer), batch_id)
    for response, repeated in ((first, False), (repeat, True)):
        body = response.json()
        assert (response.status_code, response.headers["ETag"]) == (200, f'"{version}"')
        assert (body["batch_id"], body["version"], body["disposition"]) == (batch_id, version, "applied")
        assert (body["reason"], body["repeated"]) == ("batch_paused", repeated)
        assert body["status"] == body["batch"]["status"] == "awaiting_content_validation"
        assert body["batch"]["version"] == version
        assert body["links"]["status"] == f"/v1/batches/{batch_id}/status"


async def test_a_decision_is_answered_while_no_status_can_be_read() -> None:
    async with world() as api:
        api.projection.error = ProjectionError("locked", next_step="None.")
        response = await told(api, decided(Disposition.APPLIED, Reason(code=ReasonCode.BATCH_PAUSED)))
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["status"], body["version"]) == (200, "processing_pipelines", 17)
    assert body["batch"] is None
