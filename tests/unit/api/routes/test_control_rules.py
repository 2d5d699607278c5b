"""Controlling a batch with the rules of the orchestrator behind it, and that a preview tells what is then decided."""

from typing import Any

import pytest
from httpx import Response

from schemas.internal.events import EssayRef, OutcomeStatus, PhaseConcluded
from state.decision.attempts import essay_ids
from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import World, world
from tests.unit.api.replay.happening import happen, ready

pytestmark = pytest.mark.anyio
OWNER = {"X-User-ID": "ms-berg", "X-Org-ID": "school-7"}


async def registered(api: World, headers: dict[str, str] | None = None, **body: Any) -> str:
    response = await api.client.post("/v1/batches/register", json=seed_body(**body), headers=headers)
    return str(response.json()["batch_id"])


async def running(api: World, **body: Any) -> str:
    """Return a batch of three essays whose spellcheck runs."""
    batch_id = await registered(api, OWNER, **body)
    ready(api, batch_id)
    return batch_id


def essays_of(api: World, batch_id: str) -> list[str]:
    return list(essay_ids(api.cluster.batches[batch_id]))


def outcome(api: World, batch_id: str, phase: str, failed: int) -> None:
    essays = essays_of(api, batch_id)
    refs = tuple(EssayRef(essay, f"{phase}-{essay}") for essay in essays[failed:])
    status = OutcomeStatus.SUCCEEDED_WITH_FAILURES if failed else OutcomeStatus.SUCCEEDED
    happen(
        api, batch_id, PhaseConcluded(phase=phase, status=status, essays=refs, failed_essay_ids=tuple(essays[:failed]))
    )


async def ask(api: World, batch_id: str, kind: str, body: dict[str, Any] | None = None, **headers: str) -> Response:
    """Preview a request of the owner, then make it, and hold that the preview told what is decided."""
    path = f"/v1/batches/{batch_id}/{kind}"
    given = OWNER | {name.replace("_", "-"): value for name, value in headers.items()}
    preview = await api.client.post(f"{path}?dry_run=true", json=body or {}, headers=given)
    assert preview.status_code == 200, preview.text
    told = preview.json()
    response = await api.client.post(path, json=body or {}, headers=given)
    decided = response.json()
    if response.status_code == 200:
        assert (told["disposition"], told["status"]) == (decided["disposition"], decided["status"])
        assert told["version"] < decided["version"]
        assert told["detail"] is None
    else:
        assert told["disposition"] == "refused"
        assert (told["detail"], told["next_step"]) == (decided["detail"], decided["next_step"])
    assert told["reason"] == decided["reason"]
    return response


async def status_of(api: World, batch_id: str) -> dict[str, Any]:
    newest = {"min_version": api.cluster.batches[batch_id].version, "wait": 60}
    response = await api.client.get(f"/v1/batches/{batch_id}/status", headers=OWNER, params=newest)
    body: dict[str, Any] = response.json()
    return body


async def test_a_cancelled_batch_has_ended_and_refuses_everything_else() -> None:
    async with world() as api:
        batch_id = await running(api, enable_cj_assessment=True)
        cancelled = await ask(api, batch_id, "cancel", {"reason": "withdrawn"})
        assert (cancelled.status_code, cancelled.json()["reason"]) == (200, "batch_cancelled")
        status = await status_of(api, batch_id)
        assert status == cancelled.json()["batch"]
        assert status["status"] == "cancelled"
        assert {status["pipeline_state"][name]["status"] for name in ("spellcheck", "cj_assessment")} == {"cancelled"}
        for kind in ("cancel", "pause", "resume", "retry"):
            refused = await ask(api, batch_id, kind, {"phase": "spellcheck"})
            assert (refused.status_code, refused.json()["reason"]) == (409, "batch_ended")
            assert refused.json()["batch_status"] == "cancelled"


async def test_a_paused_batch_starts_nothing_until_it_is_resumed() -> None:
    async with world() as api:
        batch_id = await running(api, enable_cj_assessment=True)
        assert (await ask(api, batch_id, "resume")).json()["reason"] == "not_paused"
        assert (await ask(api, batch_id, "pause", {"reason": "exam"})).status_code == 200
        assert (await ask(api, batch_id, "pause")).json()["reason"] == "already_paused"
        outcome(api, batch_id, "spellcheck", failed=0)
        status = await status_of(api, batch_id)
        assert status["pipeline_state"]["cj_assessment"]["status"] == "pending_dependencies"
        preview = await api.client.post(f"/v1/batches/{batch_id}/resume?dry_run=true", headers=OWNER)
        assert preview.json()["effects"] == [
            {"kind": "command_phase", "phase": "cj_assessment", "attempt": 1, "essays": 3}
        ]
        assert (await ask(api, batch_id, "resume")).status_code == 200
        status = await status_of(api, batch_id)
        assert status["pipeline_state"]["cj_assessment"]["status"] == "dispatch_initiated"


async def test_a_phase_is_retried_with_the_essays_that_it_lost() -> None:
    async with world() as api:
        batch_id = await running(api, enable_cj_assessment=True)
        assert (await ask(api, batch_id, "retry", {"phase": "spellcheck"})).json()["reason"] == "phase_running"
        outcome(api, batch_id, "spellcheck", failed=1)
        lost = essays_of(api, batch_id)[0]
        for essays, reason in ((["nobody"], "unknown_essays"), ([lost], "retry_started")):
            done = await ask(api, batch_id, "retry", {"phase": "spellcheck", "essays": essays, "reason": "mended"})
            assert done.json()["reason"] == reason
        phase = done.json()["batch"]["pipeline_state"]["spellcheck"]
        assert (phase["status"], phase["attempt"]) == ("dispatch_initiated", 2)
        assert (await ask(api, batch_id, "retry", {"phase": "nlp"})).json()["reason"] == "phase_not_requested"


async def test_a_request_depends_on_the_version_that_it_names() -> None:
    async with world() as api:
        batch_id = await running(api)
        version = (await status_of(api, batch_id))["version"]
        stale = await ask(api, batch_id, "cancel", If_Match=f'"{version - 1}"')
        assert (stale.status_code, stale.json()["code"]) == (412, "ORC-VERSION-CHANGED")
        assert stale.headers["ETag"] == f'"{version}"'
        assert (await ask(api, batch_id, "cancel", If_Match=stale.headers["ETag"])).status_code == 200


async def test_a_key_gives_the_first_answer_and_acts_once() -> None:
    async with world() as api:
        batch_id = await running(api)
        headers = OWNER | {"Idempotency-Key": "k"}
        answers = [
            (await api.client.post(f"/v1/batches/{batch_id}/{kind}", json=body, headers=headers)).json()
            for kind, body in (("pause", {}), ("pause", {}), ("pause", {"reason": "other"}), ("cancel", {}))
        ]
    assert [answer.get("repeated") for answer in answers] == [False, True, None, None]
    assert {**answers[0], "repeated": True} == answers[1]
    assert [answer["code"] for answer in answers[2:]] == ["ORC-KEY-REUSED"] * 2


async def test_who_registered_a_batch_controls_it_with_the_same_headers() -> None:
    callers: list[dict[str, str]] = [{}, {"X-Org-ID": "school-7"}, OWNER]
    async with world(anonymous_scopes=("batches:read", "batches:write")) as api:
        for own in callers:
            for body in (seed_body(), head_body(user_id="teacher-1")):
                registration = await api.client.post("/v1/batches/register", json=body, headers=own)
                path = f"/v1/batches/{registration.json()['batch_id']}"
                for other in callers:
                    seen = await api.client.get(f"{path}/status", headers=other)
                    asked = await api.client.post(f"{path}/resume", json={}, headers=other)
                    assert (seen.status_code, asked.status_code) == ((200, 409) if other == own else (404, 404))


async def test_the_scope_for_every_owner_reaches_every_batch() -> None:
    async with world() as api:
        batch_id = await running(api)
        asked = await api.client.post(f"/v1/batches/{batch_id}/cancel", json={"reason": "by the operator"})
        assert asked.status_code == 200
        api.projection.project()
        page = (await api.client.get(f"/v1/batches/{batch_id}/history", headers=OWNER)).json()
        last = page["decisions"][-1]
        assert (last["event"], last["disposition"], last["reason"]["code"]) == ("cancel", "applied", "batch_cancelled")
        assert last["reason"]["detail"] == "by the operator"
        assert "batches:any-owner" in last["actor"]["scopes"]
        assert last["request_id"] == asked.json()["request_id"]
        assert last["time"]
