"""Every page in each of its states, as a browser without scripts reads it."""

from pathlib import Path
from typing import Any, NoReturn

import pytest

from schemas.errors import ProjectionError
from schemas.internal.enums import BatchStatus
from schemas.internal.status import StatusRecord
from state.decision.records import status_record
from tests.browser.seed import SeededCluster
from tests.unit.api.dashboard.reading import PARTIAL, dashboard, page, text_of
from tests.unit.api.memory import World

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> SeededCluster:
    """Return a cluster with a history, for tests that change nothing."""
    found = SeededCluster(tmp_path_factory.mktemp("pages") / "projection.db")
    found.fill()
    return found


def batches(cluster: SeededCluster) -> list[StatusRecord]:
    return [status_record(batch) for batch in cluster.batches.values()]


def a_batch(cluster: SeededCluster, state: str) -> StatusRecord:
    """Return a batch in a state: a status, or `stalled`, `held`, `paused`."""
    for record in batches(cluster):
        live = not record.status.terminal
        if state == record.status.value or (live and state in {"stalled", "held"} and getattr(record, state)):
            return record
        if state == "paused" and record.pause is not None:
            return record
    raise AssertionError(state)


STATES = (*(status.value for status in BatchStatus), "stalled", "held", "paused")


async def test_the_overview_says_what_needs_a_person_and_what_runs(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        found = await page(running, "/")
        text = found.text()
        assert "A phase has stalled" in text
        assert "A phase is held for a person" in text
        assert "Live batches" in text
        assert "cj_assessment" in text
        assert "timekeeper" in text
        assert any(link.startswith("/batches?phase=") for link in found.links())


async def test_a_product_that_was_never_used_says_how_to_begin(tmp_path: Path) -> None:
    empty = SeededCluster(tmp_path / "projection.db")
    async with dashboard(empty) as running:
        overview = await page(running, "/")
        assert "No batch has been registered yet" in overview.text()
        assert "http://api/v1/batches/register" in overview.text()
        assert "Nothing needs you" in overview.text()
        assert "bos simulate" in (await page(running, "/batches")).text()


@pytest.mark.slow
async def test_every_number_of_the_overview_leads_to_a_list_that_can_be_opened(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        for link in {link for link in (await page(running, "/")).links() if link.startswith("/batches")}:
            await page(running, link)


async def test_the_list_has_a_row_for_each_batch_the_newest_first(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        found = await page(running, "/batches")
        rows = [row for row in found.all("tr") if row.get("id", "").startswith("batch-")]
        newest = sorted(batches(cluster), key=lambda record: (record.registered_ms, record.batch_id), reverse=True)
        assert [row.get("id") for row in rows] == [f"batch-{record.batch_id}" for record in newest[:50]]


async def test_the_list_goes_on_where_it_ended(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        first = await page(running, "/batches")
        older = first.one("a", rel="next").get("href", "")
        second = await page(running, older)
        seen = {row.get("id") for found in (first, second) for row in found.all("tr", data_row="")}
        assert len(seen) == len(cluster.batches)
        assert any(text_of(link) == "Newest" for link in second.all("a"))


async def test_a_filter_is_shown_as_chips_and_in_the_form(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        found = await page(running, "/batches?status=failed_critically&course=ENG5")
        assert {"/batches?course=ENG5", "/batches?status=failed_critically"} <= set(found.links())
        assert found.one("input", name="course", class_="field").get("value") == "ENG5"
        assert found.one("input", name="status", type="checkbox", value="failed_critically").get("checked") is not None


async def test_the_empty_fields_of_the_form_leave_the_address(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        response = await running.client.get("/batches?status=cancelled&phase=&owner=&since=")
        assert (response.status_code, response.headers["location"]) == (303, "/batches?status=cancelled")


async def test_a_filter_that_finds_nothing_names_the_part_that_hides_most(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        found = await page(running, "/batches?status=cancelled&course=no-such-course")
        assert "No batch fits" in found.text()
        assert "without course no-such-course: 2" in found.text()


async def test_a_filter_that_is_not_known_says_which_one_was_meant(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        found = await page(running, "/batches?cours=ENG5", 400)
        assert "Did you mean course?" in found.text()


@pytest.mark.parametrize("state", STATES)
async def test_a_batch_in_each_state_says_why_it_is_there(cluster: SeededCluster, state: str) -> None:
    record = a_batch(cluster, state)
    async with dashboard(cluster) as running:
        found = await page(running, f"/batches/{record.batch_id}")
        why = text_of(found.one("p", class_="why"))
        assert why.endswith(".")
        assert record.batch_id in found.text()
        if record.status.terminal:
            assert "Nothing can be done with it" in found.text()
        else:
            assert any("/actions/cancel" in link for link in found.links())


async def test_a_batch_of_the_past_offers_no_action(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "stalled")
    offsets = [each.offset for each in cluster.inbox if each.key == record.batch_id.encode()]
    async with dashboard(cluster) as running:
        found = await page(running, f"/batches/{record.batch_id}?at={offsets[2]}")
        assert "The batch as it was" in found.text()
        assert "commanded 0 s ago" in text_of(found.one("p", class_="why"))
        assert not any("/actions/" in link for link in found.links())
        assert f"/batches/{record.batch_id}" in found.links()


async def test_a_batch_that_does_not_exist_is_a_page_that_says_so(cluster: SeededCluster) -> None:
    async with dashboard(cluster, max_wait_s=0.02) as running:
        found = await page(running, "/batches/no-such-batch", 404)
        assert "There is no such batch" in found.text()
        assert "/errors/ORC-BATCH-NOT-FOUND" in found.links()


@pytest.mark.parametrize("name", [".", ".."])
async def test_ids_that_browsers_remove_have_pages_too(cluster: SeededCluster, name: str) -> None:
    async with dashboard(cluster, max_wait_s=0.02) as running:
        await page(running, f"/batch?batch_id={name}", 404)
        await page(running, f"/batch/actions/cancel?batch_id={name}", 404)


async def test_each_decision_of_a_batch_has_a_page(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "held")
    async with dashboard(cluster) as running:
        links = (await page(running, f"/batches/{record.batch_id}")).links()
        decisions = [link for link in links if "/decisions/" in link]
        assert len(decisions) > 5
        for link in decisions:
            found = await page(running, link)
            assert "Where it came from" in found.text()


async def test_neighbouring_decisions_lead_to_each_other(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "stalled")
    async with dashboard(cluster) as running:
        newest = next(
            link for link in (await page(running, f"/batches/{record.batch_id}")).links() if "/decisions/" in link
        )
        found = await page(running, newest)
        earlier = await page(running, found.one("a", rel="prev").get("href", ""))
        assert earlier.one("a", rel="next").get("href") == newest


async def test_two_versions_are_compared(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "stalled")
    offsets = [each.offset for each in cluster.inbox if each.key == record.batch_id.encode()]
    async with dashboard(cluster) as running:
        found = await page(running, f"/batches/{record.batch_id}/diff?from={offsets[0]}&to={offsets[-1]}")
        assert "stalled" in found.text()
        same = await page(running, f"/batches/{record.batch_id}/diff?from={offsets[0]}&to={offsets[0]}")
        assert "Nothing differs" in same.text()


async def test_a_replay_proves_that_the_state_is_the_published_one(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "completed_with_failures")
    async with dashboard(cluster) as running:
        found = await page(running, f"/batches/{record.batch_id}/proof")
        assert "state identical, decisions identical, chain whole." in found.text()
        part = await running.client.get(f"/batches/{record.batch_id}/proof", headers=PARTIAL)
        assert "<h1" not in part.text
        assert "chain whole" in part.text


async def test_an_error_code_is_explained(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        assert "Next step" in (await page(running, "/errors/ORC-REFUSED")).text()
        await page(running, "/errors/ORC-NO-SUCH-CODE", 404)
        await page(running, "/errors/..%2F..%2FREADME", 404)


async def test_what_is_looked_for_is_led_to(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "stalled")
    async with dashboard(cluster) as running:
        response = await running.client.get("/search", params={"q": f" {record.batch_id} "})
        assert (response.status_code, response.headers["location"]) == (303, f"/go/{record.batch_id}")
        await page(running, "/search")


async def test_the_page_of_a_fragment_is_its_main_part_alone(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        whole, part = await running.client.get("/"), await running.client.get("/", headers=PARTIAL)
        assert "HX-Request-Type" in whole.headers["vary"]
        assert "<!DOCTYPE html>" in whole.text
        assert "<html" not in part.text
        assert part.text.strip() in whole.text


async def test_a_fragment_that_is_known_is_not_sent_again(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        path = "/batches?status=completed_successfully"  # nothing of them depends on the processes
        first = await running.client.get(path, headers=PARTIAL)
        running.app.state.clock_ms += 1_000
        again = await running.client.get(path, headers=PARTIAL | {"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.text) == (304, "")


async def test_rows_are_read_again_in_the_order_in_which_they_are_shown(cluster: SeededCluster) -> None:
    names = [record.batch_id for record in batches(cluster)[:3]]
    async with dashboard(cluster, max_wait_s=0.02) as running:
        response = await running.client.get("/batches/rows", params=[("id", each) for each in (*names, "gone")])
        places = [response.text.index(f'id="batch-{name}"') for name in names]
        assert places == sorted(places)
        assert "gone" not in response.text


async def test_every_page_forbids_what_it_does_not_need(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        for path in ("/", "/batches", "/no-such-page", "/batches?nonsense=1"):
            response = await running.client.get(path, headers={"Accept": "text/html"})
            policy = response.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"


def _lose_the_database(running: World) -> None:
    async def lost(_: object) -> NoReturn:
        raise ProjectionError("The projection database cannot be read.", next_step="Look at its log.")

    projection: Any = running.services.projection
    projection.read = projection.letters = lost


async def test_lists_that_cannot_be_read_stay_as_they_were_and_say_so(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        before = {path: await page(running, path) for path in ("/", "/batches")}
        _lose_the_database(running)
        for path, found in before.items():
            stale = await page(running, path)
            assert "Lists are not current" in stale.text()
            assert "Decisions go on" in stale.text()
            assert set(found.links()) == set(stale.links())


async def test_lists_that_were_never_read_are_a_page_that_says_what_to_do(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        _lose_the_database(running)
        found = await page(running, "/batches?course=ENG5", 503)
        assert "The projection database cannot be read." in found.text()
        assert "/batches?course=ENG5" in found.links()
        assert found.response.headers["retry-after"]


async def test_a_batch_is_shown_from_the_log_while_the_database_is_away(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "stalled")
    async with dashboard(cluster) as running:
        _lose_the_database(running)
        found = await page(running, f"/batches/{record.batch_id}")
        assert "Decisions cannot be read now" in found.text()
        assert "cj_assessment" in text_of(found.one("p", class_="why"))
        assert any("/actions/cancel" in link for link in found.links())


async def test_who_may_not_see_a_batch_is_told_that_there_is_none(cluster: SeededCluster) -> None:
    record = a_batch(cluster, "stalled")
    async with dashboard(cluster) as running:
        await page(running, f"/batches/{record.batch_id}", 404, {"X-User-ID": "somebody.else"})
        rows = await running.client.get(f"/batches/rows?id={record.batch_id}", headers={"X-User-ID": "somebody.else"})
        assert record.batch_id not in rows.text
        own = {"X-User-ID": record.owner_subject, "X-Org-ID": record.owner_organisation}
        found = await page(running, f"/batches/{record.batch_id}", headers=own)
        assert "Only operators see dead letters" in found.text()
        listed = await page(running, "/batches", headers=own)
        owners = {row.get("id") for row in listed.all("tr", data_row="")}
        mine = [each for each in batches(cluster) if each.owner_subject == record.owner_subject]
        assert owners == {f"batch-{each.batch_id}" for each in mine}


async def test_the_page_of_operations_tells_who_asked_what(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        found = await page(running, "/operations")
        requests = found.text().partition("to cancel, pause, resume or retry")[2]
        assert "Pause" in requests
        assert any("/decisions/" in link for link in found.links())


async def test_the_page_of_operations_is_shown_without_the_database(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        _lose_the_database(running)
        found = await page(running, "/operations")
        assert "Requests cannot be read now: The projection database cannot be read." in found.text()
