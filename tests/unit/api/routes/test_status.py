"""The status of a batch over HTTP."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from msgspec.structs import replace

from api.kafka_log.kafka_log import LogPartition
from runtime.kafka.partitioner import partition_of
from schemas.errors import BrokerError, NewerRecord, OlderRecord
from schemas.internal.enums import BatchStatus, LostReason, PhaseReason, PhaseStatus
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import decode_status
from schemas.internal.status import Counts, FailedEssay, Pause, PhaseView, StatusRecord
from schemas.topics import Topic
from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import MemoryCluster, MemoryProjection, World, answers, until, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"


async def registered(api: World, body: dict[str, Any] | None = None, **headers: str) -> str:
    response = await api.client.post(
        REGISTER, json=body or seed_body(), headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    assert response.status_code == 202, response.text
    batch_id: str = response.json()["batch_id"]
    return batch_id


def path(batch_id: str) -> str:
    return f"/v1/batches/{batch_id}/status"


def snapshot(api: World, batch_id: str) -> StatusRecord:
    log = api.cluster.logs[status_partition(batch_id)]
    return decode_status(next(r.value or b"" for r in reversed(log) if r.key.decode() == batch_id))


def status_partition(batch_id: str) -> LogPartition:
    return LogPartition(Topic.STATUS, partition_of(batch_id.encode(), 4))


async def test_defect_43_the_status_is_there_right_after_the_202_and_again_after_the_projection() -> None:
    async with world() as api:
        batch_id = await registered(api, seed_body(enable_cj_assessment=True))
        first = await api.client.get(path(batch_id))
        api.projection.project()
        second = await api.client.get(path(batch_id))
    for response in (first, second):
        assert response.status_code == 200
        body = response.json()
        assert body["batch_id"] == batch_id
        assert body["status"] == "awaiting_content_validation"
        assert body["counts"] == {"expected": 3, "ready": 0, "unaccounted": 0, "succeeded": 0, "failed": 0}
        assert (
            body["batch_context"].items()
            >= {
                "course_code": "SV1",
                "class_designation": "Class 9A",
                "expected_essay_count": 3,
                "enable_cj_assessment": True,
            }.items()
        )
        state = body["pipeline_state"]
        assert state["batch_id"] == batch_id
        assert state["requested_pipelines"] == ["spellcheck", "cj_assessment"]
        assert state["spellcheck"]["status"] == "pending_dependencies"
        assert set(state["spellcheck"]) >= {
            "status",
            "essay_counts",
            "started_at",
            "completed_at",
            "error_info",
            "progress_percentage",
        }
        assert state["last_updated"].endswith("Z")
        assert response.headers["ETag"] == f'"{body["version"]}"'


async def test_phases_show_recorded_counts() -> None:
    async with world() as api:
        batch_id = await registered(api)
        before = snapshot(api, batch_id)
        phase = PhaseView(
            status=PhaseStatus.COMPLETED_WITH_PARTIAL_SUCCESS,
            attempt=1,
            commanded=3,
            succeeded=1,
            failed=1,
            unaccounted=1,
            started_ms=1_750_000_000_000,
            completed_ms=1_750_000_001_500,
        )
        api.cluster.publish(
            replace(
                before,
                version=before.version + 10,
                status=BatchStatus.COMPLETED_WITH_FAILURES,
                phases={**before.phases, "spellcheck": phase},
                counts=Counts(expected=3, ready=3, succeeded=1, failed=2),
                failed_essays=(FailedEssay("e", "spellcheck", LostReason.FAILED, "no text"),),
            )
        )
        body = (await api.client.get(path(batch_id), params={"min_version": before.version + 1})).json()
    detail = body["pipeline_state"]["spellcheck"]
    assert detail["essay_counts"] == {
        "total": 3,
        "pending_dispatch_or_processing": 0,
        "successful": 1,
        "failed": 2,
    }
    assert detail["completed_at"] == "2025-06-15T15:06:41.500Z"
    assert detail["progress_percentage"] == 100.0
    assert body["failed_essays"] == [{"essay_id": "e", "phase": "spellcheck", "reason": "failed", "detail": "no text"}]


async def test_a_pause_a_hold_and_a_retry_are_shown_and_words_of_tomorrow_are_text() -> None:
    waiting = PhaseView(
        status=PhaseStatus.WAITING_TO_RETRY, attempt=1, commanded=1, failed=1, retry_due_ms=1_750_000_000_000
    )
    resting = PhaseView(
        status=PhaseStatus("resting"), attempt=1, commanded=1, stalled=True, reason=PhaseReason("tired")
    )
    async with world() as api:
        batch_id = await registered(api)
        before = snapshot(api, batch_id)
        api.cluster.publish(
            replace(
                before,
                version=before.version + 10,
                status=BatchStatus("suspended"),
                phases={"spellcheck": waiting, "cj_assessment": resting},
                held=True,
                stalled=True,
                pause=Pause(since_ms=1_750_000_000_000, by="teacher-001", reason="holiday"),
            )
        )
        body = (await api.client.get(path(batch_id), params={"min_version": before.version + 1})).json()
    assert (body["status"], body["held"], body["stalled"]) == ("suspended", True, True)
    assert body["paused"] == {"since": "2025-06-15T15:06:40.000Z", "by": "teacher-001", "reason": "holiday"}
    state = body["pipeline_state"]
    assert state["spellcheck"]["retry_due_at"] == "2025-06-15T15:06:40.000Z"
    assert state["cj_assessment"]["status"] == "resting"
    assert state["cj_assessment"]["stalled"] is True
    assert state["cj_assessment"]["error_info"] == {"reason": "tired"}
    assert state["cj_assessment"]["progress_percentage"] == 0.0


async def test_the_course_is_shown_as_given_and_as_published() -> None:
    async with world() as api:
        batch_id = await registered(api, head_body(course_code="CS101"))
        context = (await api.client.get(path(batch_id))).json()["batch_context"]
    assert (context["course_code"], context["course_code_published"]) == ("CS101", "ENG5")


async def test_the_newer_of_tail_and_projection_is_shown() -> None:
    async with world() as api:
        batch_id = await registered(api)
        record = snapshot(api, batch_id)
        api.projection.rows[batch_id] = replace(record, version=record.version + 5, status=BatchStatus.CANCELLED)
        assert (await api.client.get(path(batch_id))).json()["status"] == "cancelled"
        api.projection.rows[batch_id] = replace(record, version=record.version - 1, status=BatchStatus.CANCELLED)
        assert (await api.client.get(path(batch_id))).json()["status"] == "awaiting_content_validation"


async def test_an_etag_saves_the_body() -> None:
    async with world() as api:
        batch_id = await registered(api)
        tag = (await api.client.get(path(batch_id))).headers["ETag"]
        for header in (tag, f'"0", W/{tag}', "*"):
            same = await api.client.get(path(batch_id), headers={"If-None-Match": header})
            assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
        assert (await api.client.get(path(batch_id), headers={"If-None-Match": '"0"'})).status_code == 200


async def test_an_unknown_batch_is_not_found_once_its_partition_is_read_to_the_end() -> None:
    async with world() as api:
        await registered(api)  # its transaction ends with a control record, which is never read as a record
        for batch_id in ("nope", "0" * 300, "%00", "ü"):
            response = await api.client.get(path(batch_id))
            assert response.status_code == 404
            assert response.json()["error"] == "Batch not found"


async def test_no_404_while_the_status_may_still_be_on_its_way() -> None:
    cluster = MemoryCluster()
    async with world(cluster) as here, world(cluster) as elsewhere:
        batch_id = await registered(here)
        hidden = await registered(here)
        assert (await elsewhere.client.get(path(batch_id))).status_code == 200
        record = replace(snapshot(here, hidden), batch_id="late")
        with cluster.arrived:  # no read is under way
            cluster.hidden.add(status_partition("late"))
        cluster.publish(record)
        asking = asyncio.create_task(elsewhere.client.get(path("late")))
        await elsewhere.until_the_log_is_waited_for()
        assert not asking.done(), "it said 404 about a batch that it could not have read"
        cluster.reveal()
        assert (await asking).status_code == 200


async def test_where_it_cannot_be_told_it_is_503() -> None:
    async with world() as api:
        api.cluster.unreachable = "All brokers are down."
        response = await api.client.get(path("nope"))
        assert response.status_code == 503
        assert response.json()["code"] == "ORC-NOT-READY"
        api.cluster.unreachable = None
        api.projection.error = BrokerError("The database is away.", next_step="Wait.")
        batch_id = await registered(api)
        assert (await api.client.get(path(batch_id))).status_code == 200, "the tail knows it"
        assert (await api.client.get(path("nope"))).status_code == 503


async def test_a_purged_batch_is_not_found_and_an_older_row_does_not_bring_it_back() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.projection.rows[batch_id] = snapshot(api, batch_id)
        api.cluster.purge(batch_id, snapshot(api, batch_id).version + 1)
        await answers(api.client, path(batch_id), 404)


async def test_waiting_ends_with_the_next_version() -> None:
    async with world() as api:
        batch_id = await registered(api)
        first = await api.client.get(path(batch_id))
        waiting = asyncio.create_task(
            api.client.get(path(batch_id), params={"wait": 60}, headers={"If-None-Match": first.headers["ETag"]})
        )
        await api.until_waited_for(batch_id)
        assert not waiting.done()
        record = snapshot(api, batch_id)
        api.cluster.publish(replace(record, version=record.version + 1, status=BatchStatus.PROCESSING_PIPELINES))
        response = await waiting
    assert response.status_code == 200
    assert response.json()["status"] == "processing_pipelines"


async def test_waiting_without_a_version_ends_with_the_batch() -> None:
    async with world() as api:
        batch_id = await registered(api)
        waiting = asyncio.create_task(api.client.get(path(batch_id), params={"wait": 60}))
        record = snapshot(api, batch_id)
        api.cluster.publish(replace(record, version=record.version + 1, status=BatchStatus.PROCESSING_PIPELINES))

        async def known() -> bool:
            held = api.services.follower.snapshots.get(batch_id)
            return held is not None and held.version == record.version + 1

        await until(known)
        await api.until_waited_for(batch_id)
        assert not waiting.done()
        api.cluster.publish(replace(record, version=record.version + 2, status=BatchStatus.COMPLETED_SUCCESSFULLY))
        assert (await waiting).json()["status"] == "completed_successfully"


async def test_when_the_time_is_over_the_answer_is_what_there_is() -> None:
    async with world() as api:
        batch_id = await registered(api)
        version = snapshot(api, batch_id).version
        late = await api.client.get(path(batch_id), params={"wait": 0.05, "min_version": version + 1})
        assert (late.status_code, late.json()["version"]) == (200, version)
        same = await api.client.get(path(batch_id), params={"wait": 0.05}, headers={"If-None-Match": f'"{version}"'})
        assert same.status_code == 304


@pytest.mark.parametrize("query", ["wait=x", "wait=-1", "wait=nan", "wait=inf", "min_version=-1", "min_version=1e9"])
async def test_bad_parameters_are_a_bad_request(query: str) -> None:
    async with world() as api:
        response = await api.client.get(f"{path('b')}?{query}")
    assert response.status_code == 400
    assert response.json()["error"] == "Validation Error"


async def test_owners_see_their_batches_and_others_do_not() -> None:
    async with world() as api:
        batch_id = await registered(api, X_User_ID="anna", X_Org_ID="school")
        asked = {
            who: (await api.client.get(path(batch_id), headers=headers)).status_code
            for who, headers in {
                "owner": {"X-User-ID": "anna", "X-Org-ID": "school"},
                "anonymous": {},
                "other user": {"X-User-ID": "bo", "X-Org-ID": "school"},
                "other organisation": {"X-User-ID": "anna"},
            }.items()
        }
    assert asked == {"owner": 200, "anonymous": 200, "other user": 404, "other organisation": 404}


async def test_anonymous_callers_can_be_kept_out() -> None:
    async with world(anonymous_scopes=()) as api:
        assert (await api.client.get(path("b"))).status_code == 403
        assert (await api.client.post(REGISTER, json=seed_body())).status_code == 403
        assert await registered(api, X_User_ID="anna")
        assert (await api.client.get(path("b"), headers={"X-User-ID": "x" * 256})).status_code == 400


async def test_a_view_that_had_to_drop_batches_does_not_deny_them() -> None:
    cluster = MemoryCluster(partitions=1)
    projection = MemoryProjection(cluster)
    async with world(cluster, projection, tail_bytes=1_048_576) as api:
        record = replace(
            snapshot_of_one(api, await registered(api)),
            failed_essays=tuple(
                FailedEssay(f"essay-{number:040}", "spellcheck", LostReason.FAILED) for number in range(1_000)
            ),
        )
        for number in range(20):
            cluster.publish(replace(record, batch_id=f"large-{number}", version=1_000 + number))
        await api.client.get(path("large-19"))
        dropped = await api.client.get(path("large-0"))
        assert dropped.status_code == 503
        projection.project()
        await answers(api.client, path("nope"), 404)
        assert (await api.client.get(path("large-0"))).status_code == 200


def snapshot_of_one(api: World, batch_id: str) -> StatusRecord:
    log = api.cluster.logs[LogPartition(Topic.STATUS, 0)]
    return decode_status(next(r.value or b"" for r in log if r.key.decode() == batch_id))


async def test_a_projection_that_was_lost_does_not_make_batches_unknown() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.projection.project()
        await answers(api.client, "/healthz", 200)
        assert api.cluster.end(status_partition(batch_id)) > 0

        async def let_go() -> bool:
            return value_of(await api.client.get("/metrics"), "batch_orchestrator_api_held_batches") == 0

        await until(let_go)
        assert (await api.client.get(path(batch_id))).status_code == 200
        api.projection.rows.clear()
        api.projection.reflected.clear()
        assert (await api.client.get(path(batch_id))).status_code == 503
        api.projection.project()
        assert (await api.client.get(path(batch_id))).status_code == 200


async def test_a_projection_that_is_being_rebuilt_does_not_show_older_versions() -> None:
    async with world() as api:
        batch_id = await registered(api)
        old = snapshot(api, batch_id)
        new = replace(old, version=old.version + 10)
        api.cluster.publish(new)
        await api.client.get(path(batch_id), params={"min_version": new.version})
        api.projection.project()

        async def let_go() -> bool:
            return value_of(await api.client.get("/metrics"), "batch_orchestrator_api_held_batches") == 0

        await until(let_go)
        assert (await api.client.get(path(batch_id))).headers["ETag"] == f'"{new.version}"'
        reflected, api.projection.reflected = api.projection.reflected, {status_partition(batch_id): 1}
        api.projection.rows[batch_id] = old
        await answers(api.client, path(batch_id), 503)
        waited = await api.client.get(path(batch_id), params={"min_version": new.version, "wait": 0.05})
        assert (waited.status_code, waited.json()["code"]) == (503, "ORC-NOT-READY")
        api.projection.rows[batch_id], api.projection.reflected = new, reflected
        assert (await api.client.get(path(batch_id))).headers["ETag"] == f'"{new.version}"'


async def test_waiting_ends_with_what_the_projection_has_come_to_know_meanwhile() -> None:
    async with world() as api:
        batch_id = await registered(api)
        newer = replace(snapshot(api, batch_id), version=1_000)
        waiting = asyncio.create_task(api.client.get(path(batch_id), params={"min_version": 1_000, "wait": 1}))
        await api.until_waited_for(batch_id)
        assert not waiting.done()
        api.projection.rows[batch_id] = newer
        assert (await waiting).json()["version"] == 1_000


async def test_nothing_goes_on_waiting_for_a_batch_that_cannot_be_told() -> None:
    async with world() as api:
        follower = api.services.follower
        api.projection.error = BrokerError("The database is away.", next_step="Wait.")
        listened: list[asyncio.Future[int]] = []
        listen = follower.change

        def change(batch_id: str) -> asyncio.Future[int]:
            listened.append(listen(batch_id))
            return listened[-1]

        follower.change = change  # type: ignore[method-assign]
        assert (await api.client.get(path("nope"), params={"wait": 5})).status_code == 503
        assert [future.done() for future in listened] == [True]


@pytest.mark.parametrize("batch_id", ["klass\u00a09A", "two words", "å" * 255])
async def test_every_id_that_was_ever_taken_is_found(batch_id: str) -> None:
    async with world() as api:
        record = snapshot(api, await registered(api))
        api.cluster.publish(replace(record, batch_id=batch_id))
        response = await api.client.get(path(quote(batch_id)))
        assert (response.status_code, response.json()["batch_id"]) == (200, batch_id)


def value_of(response: Response, name: str) -> float:
    return float(next(line for line in response.text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def test_a_record_that_is_no_snapshot_is_passed_over() -> None:
    async with world() as api:
        batch_id = await registered(api)
        api.projection.project()
        key = batch_id.encode()
        api.cluster.append(OutgoingRecord(Topic.STATUS, key, b"no snapshot", (("version", b"no number"),)))
        api.cluster.append(OutgoingRecord(Topic.STATUS, key, b"no snapshot", (("version", b"99999"),)))
        assert (await registered(api)) != batch_id
        assert (await api.client.get(path(batch_id))).status_code == 200


@pytest.mark.parametrize(("version", "error"), [(99, NewerRecord), (1, OlderRecord)], ids=["newer", "older"])
async def test_a_snapshot_of_a_format_that_is_not_read_stops_this_process_loudly(
    version: int, error: type[Exception]
) -> None:
    async with world() as api:
        batch_id = await registered(api)
        record = snapshot(api, batch_id)
        api.cluster.publish(replace(record, version=record.version + 1, writer=version, least_reader=version))
        await answers(api.client, path(batch_id), 503)
        assert (await api.client.get("/livez")).status_code == 503
        assert isinstance(api.failures[0], error)
