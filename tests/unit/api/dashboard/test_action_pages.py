"""Acting on a batch with forms alone: the preview, the decision, and what refuses it."""

import re

import pytest
from httpx import Response

from schemas.internal.processes import ProcessState
from state.batch import Batch
from state.decision.records import status_record
from tests.browser.seed import SeededCluster
from tests.unit.api.dashboard.reading import PARTIAL, Document, dashboard, page
from tests.unit.api.memory import World, process_record, until

pytestmark = pytest.mark.anyio
SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> SeededCluster:
    """Return a cluster with a history; each test acts on a batch of its own."""
    found = SeededCluster(tmp_path_factory.mktemp("actions") / "projection.db")
    found.fill()
    return found


def running_batches(cluster: SeededCluster) -> list[Batch]:
    return [each for each in cluster.batches.values() if each.status.value == "processing_pipelines" and not each.pause]


def fields(form: Document) -> dict[str, str]:
    """Return the hidden fields of the form that confirms an action."""
    return {
        each.get("name", ""): each.get("value", "")
        for each in form.all("input", type="hidden")
        if each.get("name") != "theme"
    }


async def send(running: World, path: str, data: dict[str, str], **headers: str) -> Response:
    return await running.client.post(path, data=data, headers=SAME | headers)


async def test_a_preview_tells_the_decision_and_writes_nothing(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[0]
    before = len(cluster.inbox)
    async with dashboard(cluster) as running:
        found = await page(running, f"/batches/{batch.batch_id}/actions/cancel")
        assert "What would be decided now" in found.text()
        assert "cancelled" in found.text()
        assert "peers are told that the batch has ended" in found.text()
        assert fields(found)["if_version"] == str(batch.version)
    assert len(cluster.inbox) == before


async def test_a_confirmed_action_leads_to_its_decision(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[1]
    path = f"/batches/{batch.batch_id}/actions/pause"
    async with dashboard(cluster) as running:
        confirm = fields(await page(running, path)) | {"reason": "the peer is being upgraded"}
        answer = await send(running, path, confirm)
        assert answer.status_code == 303
        assert re.fullmatch(rf"/batches/{batch.batch_id}/decisions/\d+", answer.headers["location"])
        decided = await page(running, answer.headers["location"])
        assert "paused (the peer is being upgraded)" in decided.text()
        assert "resume" in str((await page(running, f"/batches/{batch.batch_id}")).links())


async def test_a_form_that_is_sent_twice_is_decided_once(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[2]
    path = f"/batches/{batch.batch_id}/actions/pause"
    async with dashboard(cluster) as running:
        confirm = fields(await page(running, path))
        first, second = await send(running, path, confirm), await send(running, path, confirm)
        assert first.headers["location"] == second.headers["location"]


async def test_with_a_script_the_answer_is_the_content_of_the_dialog(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[3]
    path = f"/batches/{batch.batch_id}/actions/cancel"
    async with dashboard(cluster) as running:
        confirm = fields(await page(running, path))
        answer = await send(running, path, confirm, **PARTIAL)
        assert answer.status_code == 200
        assert "Applied" in answer.text
        assert "<html" not in answer.text


async def test_an_action_on_a_batch_that_has_changed_is_refused_and_says_so(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[4]
    async with dashboard(cluster) as running:
        cancel = fields(await page(running, f"/batches/{batch.batch_id}/actions/cancel"))
        pause = fields(await page(running, f"/batches/{batch.batch_id}/actions/pause"))
        await send(running, f"/batches/{batch.batch_id}/actions/pause", pause)
        answer = await send(running, f"/batches/{batch.batch_id}/actions/cancel", cancel)
        assert answer.status_code == 412
        assert "Refused: nothing has changed" in Document(answer).text()


async def test_an_action_that_would_be_refused_has_no_form(cluster: SeededCluster) -> None:
    ended = next(each for each in cluster.batches.values() if each.status.terminal)
    async with dashboard(cluster) as running:
        found = await page(running, f"/batches/{ended.batch_id}/actions/cancel")
        assert "It would be refused now" in found.text()
        assert "The batch has ended" in found.text()
        assert "key" not in fields(found)


async def test_a_retry_is_of_a_phase_and_of_some_essays(cluster: SeededCluster) -> None:
    held = next(record for each in cluster.batches.values() if (record := status_record(each)).held)
    phase = next(name for name, view in held.phases.items() if view.status.value == "held")
    path = f"/batches/{held.batch_id}/actions/retry"
    async with dashboard(cluster) as running:
        found = await page(running, f"{path}?phase={phase}&essays=failed")
        assert f"Run {phase} again?" in found.text()
        assert f"{phase} commanded for" in found.text()
        answer = await send(running, path, fields(found))
        assert answer.status_code == 303


async def test_a_form_of_another_site_is_not_carried_out(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[5]
    path = f"/batches/{batch.batch_id}/actions/cancel"
    async with dashboard(cluster) as running:
        confirm = fields(await page(running, path))
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
            answer = await send(running, path, confirm, **headers)
            assert answer.status_code == 403
        origin = await running.client.post(path, data=confirm, headers={"Origin": "http://evil.example"})
        assert origin.status_code == 403
        assert not cluster.batches[batch.batch_id].status.terminal


@pytest.mark.parametrize("data", [b"\xff\xfe", b"reason=%ff", b"reason=" + b"x" * 20_000, b"&".join([b"a=1"] * 200)])
async def test_a_form_that_cannot_be_read_is_refused(cluster: SeededCluster, data: bytes) -> None:
    batch = running_batches(cluster)[6]
    async with dashboard(cluster) as running:
        answer = await running.client.post(f"/batches/{batch.batch_id}/actions/pause", content=data, headers=SAME)
        assert answer.status_code in (400, 413)
        assert not cluster.batches[batch.batch_id].pause


async def test_there_are_no_other_actions(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[7]
    async with dashboard(cluster) as running:
        await page(running, f"/batches/{batch.batch_id}/actions/purge", 404)
        await page(running, f"/batches/{batch.batch_id}/actions/register", 404)


async def test_what_if_takes_a_file_and_tells_what_would_differ(cluster: SeededCluster) -> None:
    batch = running_batches(cluster)[8]
    path = f"/batches/{batch.batch_id}/what-if"
    other = '[[pipelines]]\nname = "default"\nversion = 9\n[[pipelines.phases]]\nname = "spellcheck"\n'
    async with dashboard(cluster) as running:
        await page(running, path)
        refused = await send(running, path, {"pipelines": "this is no pipelines file"})
        assert refused.status_code == 422
        assert "The file cannot be used" in Document(refused).text()
        answer = await send(running, path, {"pipelines": other})
        assert answer.status_code in (200, 422)
        Document(answer)


async def test_a_process_that_has_gone_can_be_forgotten(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        running.tell(process_record("orchestrator", instance="9", state=ProcessState.FAILED))

        async def listed() -> bool:
            return "orchestrator/9" in (await page(running, "/system")).text()

        await until(listed)
        forms = list((await page(running, "/system")).all("form", action="/system/forget"))
        assert len(forms) == 1, "those that report have none"
        answer = await send(running, "/system/forget", {"process": "orchestrator/9"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/system")
        assert not await listed()
        live = await send(running, "/system/forget", {"process": "orchestrator/0"})
        assert live.status_code == 409
        assert "cannot be forgotten" in live.text
        foreign = await send(running, "/system/forget", {"process": "x/1"}, **{"Sec-Fetch-Site": "cross-site"})
        assert foreign.status_code == 403
