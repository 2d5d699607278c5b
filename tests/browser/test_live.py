"""Live updates: what changes is shown, and what a reader looks at, has selected or focused is left alone."""

from playwright.sync_api import Browser, Page, Route, expect

from schemas.internal.events import PauseBatch, ResumeBatch
from tests.browser.pages import opened
from tests.browser.serving import Site
from tests.browser.stories import BrowserStory

UPDATES = 200
# Marks the nodes that a reader deals with, so that a node that was replaced is told from one that was changed.
DEAL_WITH = """() => {
    window.scrollTo(0, 240);
    const rows = [...document.querySelectorAll("tr[data-row]")];
    const link = rows[8].querySelector("th a");
    link.focus();
    link.readerFocus = true;
    rows[9].querySelector("input").checked = true;
    rows[9].readerRow = true;
    const text = rows[10].querySelector(".owner");
    getSelection().selectAllChildren(text);
    return [rows.map((row) => row.id).join(" "), scrollY, String(getSelection())];
}"""
WHAT_IS_LEFT = """() => {
    const rows = [...document.querySelectorAll("tr[data-row]")];
    return [rows.map((row) => row.id).join(" "), scrollY, String(getSelection()), [
        document.activeElement.readerFocus === true,
        rows[9].readerRow === true,
        rows[9].querySelector("input").checked,
    ]];
}"""


def is_live(page: Page) -> None:
    """Wait until the stream is open, so that nothing that happens from now on is missed."""
    expect(page.locator("[data-live]")).to_have_attribute("data-live", "live")


def pill(page: Page, batch_id: str) -> str:
    """Return the selector of the status of a batch in the list."""
    return f"[id='batch-{batch_id}'] .status .pill"


def test_focus_scroll_selection_and_order_survive_200_updates(browser: Browser, own_site: Site) -> None:
    often, last = own_site.batch("in_parallel"), own_site.batch("in_second_phase")
    with opened(browser, own_site, "/batches") as page:
        is_live(page)
        before = page.evaluate(DEAL_WITH)
        for number in range(UPDATES - 1):
            own_site.cluster.ask(often, ResumeBatch if number % 2 else PauseBatch)
        own_site.cluster.ask(last, PauseBatch)
        expect(page.locator(pill(page, last))).to_have_text("paused")
        expect(page.locator(pill(page, often))).to_have_text("paused")
        assert page.evaluate(WHAT_IS_LEFT) == [*before, [True, True, True]]


def test_a_batch_that_is_not_shown_waits_behind_a_button(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, "/batches") as page:
        is_live(page)
        story = BrowserStory(999).begin(2, uploading_s=0)
        for told in story.told:
            own_site.cluster.take(told.before, told.event)
        expect(page.locator("[data-unseen]")).to_have_text("1 changed, show")
        expect(page.locator(f"[id='batch-{story.batch_id}']")).to_have_count(0)
        page.locator("[data-unseen]").click()
        expect(page.locator(f"[id='batch-{story.batch_id}']")).to_be_visible()


def test_a_page_of_a_batch_shows_each_decision(browser: Browser, own_site: Site) -> None:
    batch_id = own_site.batch("in_parallel")
    with opened(browser, own_site, f"/batches/{batch_id}") as page:
        is_live(page)
        own_site.cluster.ask(batch_id, PauseBatch, "the model server is being upgraded")
        expect(page.locator("main .pill").first).to_have_text("paused")
        expect(page.locator("main")).to_contain_text("the model server is being upgraded")
        own_site.cluster.ask(batch_id, ResumeBatch)
        expect(page.locator("main .pill").first).to_have_text("processing")


def test_live_updates_can_be_paused(browser: Browser, own_site: Site) -> None:
    batch_id = own_site.batch("in_parallel")
    with opened(browser, own_site, f"/batches/{batch_id}") as page:
        is_live(page)
        page.keyboard.press(".")
        expect(page.locator("[data-live]")).to_have_attribute("data-live", "paused")
        with page.expect_event("console", lambda message: message.text == "noticed"):
            page.evaluate("document.addEventListener('batch', () => console.log('noticed'), true)")
            own_site.cluster.ask(batch_id, PauseBatch)
        expect(page.locator("main .pill").first).to_have_text("processing")
        page.keyboard.press(".")
        expect(page.locator("main .pill").first).to_have_text("paused")


def test_the_overview_counts_what_happens(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, "/") as page:
        is_live(page)
        expect(page.locator("main")).to_contain_text("2 paused")
        own_site.cluster.ask(own_site.batch("in_parallel"), PauseBatch)
        expect(page.locator("main")).to_contain_text("3 paused")


def test_a_stream_is_opened_however_late_the_script_for_it_comes(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, "/batches") as page:
        is_live(page)
        held: list[Route] = []
        page.route("**/hx-sse*.js", lambda route: held.append(route))  # noqa: PLW0108 - it is given an attribute
        page.reload(wait_until="commit")
        page.wait_for_function("() => window.htmx")
        page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
        assert len(held) == 1
        held[0].continue_()
        is_live(page)


def test_a_stream_that_cannot_be_opened_is_tried_again(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, "/batches") as page:
        is_live(page)
        refused: list[str] = []

        def refuse_twice(route: Route) -> None:
            if len(refused) == 2:
                route.continue_()
                return
            refused.append(route.request.url)
            route.fulfill(status=503, body="")

        page.route("**/v1/stream*", refuse_twice)
        page.reload(wait_until="commit")
        is_live(page)
        assert len(refused) == 2


def test_a_lost_stream_is_told_without_a_fuss(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, "/batches", forgiven=("ERR_INTERNET_DISCONNECTED", "htmx:sse:error")) as page:
        is_live(page)
        page.context.set_offline(offline=True)
        page.evaluate("document.querySelector('#stream')._htmx.sse.reader.cancel()")
        expect(page.locator("[data-live-word]")).to_have_text("reconnecting")
        page.context.set_offline(offline=False)
        is_live(page)
