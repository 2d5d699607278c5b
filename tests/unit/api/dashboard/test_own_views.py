"""Filters saved under a name, in a cookie of the browser and with forms alone."""

import pytest

from api.dashboard.views.own_views import (
    MOST_BYTES,
    MOST_VIEWS,
    OwnView,
    cookie_of,
    read_views,
    with_view,
    without_view,
)
from tests.browser.seed import SeededCluster
from tests.unit.api.dashboard.reading import dashboard, page

pytestmark = pytest.mark.anyio
SAME = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
ENGLISH = OwnView('English, ÅÄÖ & more; "live"', "course=ENG5&ended=no")
FAILED = OwnView("Failed", "status=failed_critically")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> SeededCluster:
    found = SeededCluster(tmp_path_factory.mktemp("views") / "projection.db")
    found.fill()
    return found


def test_a_cookie_holds_names_and_filters_as_they_are() -> None:
    cookie = cookie_of([ENGLISH, FAILED])
    assert read_views(cookie) == (ENGLISH, FAILED)
    assert cookie.isascii()
    assert not set('"; ,\\') & set(cookie)


@pytest.mark.parametrize("cookie", ["", "%", "no pairs", "x" * (MOST_BYTES + 1), "%3D%3D%26%26"])
def test_a_cookie_of_somebody_else_is_no_view(cookie: str) -> None:
    assert read_views(cookie) == ()


def test_a_name_stands_once() -> None:
    changed = OwnView("Failed", "status=cancelled")
    assert with_view([FAILED, ENGLISH], changed) == (changed, ENGLISH)
    assert without_view([FAILED, ENGLISH], "Failed") == (ENGLISH,)


def test_a_view_shows_its_filter_in_any_order() -> None:
    assert ENGLISH.shows([("ended", "no"), ("course", "ENG5")])
    assert not ENGLISH.shows([("course", "ENG5")])


async def test_a_view_is_saved_shown_and_forgotten(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        saved = await running.client.post(
            "/batches/views", data={"name": "English", "filter": "course=ENG5&ended=no"}, headers=SAME
        )
        assert (saved.status_code, saved.headers["location"]) == (303, "/batches?course=ENG5&ended=no")
        assert "HttpOnly" in saved.headers["set-cookie"]
        assert "SameSite=strict" in saved.headers["set-cookie"]
        assert "English" in (await page(running, "/batches")).text()
        shown = await page(running, "/batches?ended=no&course=ENG5")
        current = [link.get("href") for link in shown.all("a", aria_current="page") if "tab" in link.get("class", "")]
        assert current == ["/batches?course=ENG5&ended=no"]
        assert "Save this view" not in shown.text()
        await running.client.post(
            "/batches/views", data={"name": "English", "filter": "course=ENG5", "forget": "yes"}, headers=SAME
        )
        assert "English" not in (await page(running, "/batches")).text()


@pytest.mark.parametrize(
    ("name", "query", "told"),
    [
        ("", "course=ENG5", "1 to 40 characters"),
        ("n" * 41, "course=ENG5", "1 to 40 characters"),
        ("long", "course=" + "x" * 5_000, "course"),
        ("unknown", "colour=red", "colour"),
    ],
)
async def test_what_cannot_be_saved_is_told(cluster: SeededCluster, name: str, query: str, told: str) -> None:
    async with dashboard(cluster) as running:
        refused = await running.client.post("/batches/views", data={"name": name, "filter": query}, headers=SAME)
        assert refused.status_code == 400
        assert told in refused.text
        assert "set-cookie" not in refused.headers


async def test_a_browser_keeps_so_many_views(cluster: SeededCluster) -> None:
    async with dashboard(cluster) as running:
        for number in range(MOST_VIEWS + 1):
            last = await running.client.post(
                "/batches/views", data={"name": f"view {number}", "filter": "ended=no&held=yes"}, headers=SAME
            )
        assert last.status_code == 400
        assert "Forget one" in last.text
