"""Acting on a batch in a browser: by keyboard in a dialog, and without a script on pages of their own."""

from playwright.sync_api import Browser, Page, expect

from schemas.internal.processes import ProcessState
from schemas.internal.records import process_outgoing
from tests.browser.pages import opened, violations
from tests.browser.serving import Site
from tests.unit.api.memory import process_record


def open_action(page: Page, name: str) -> None:
    """Open the dialog of an action by keyboard."""
    page.get_by_role("link", name=name, exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog#dialog")).to_be_visible()


def test_an_action_is_previewed_confirmed_and_shown_by_keyboard_alone(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, f"/batches/{own_site.batch('stalled')}") as page:
        open_action(page, "Pause")
        dialog = page.locator("dialog#dialog")
        expect(dialog).to_contain_text("What would be decided now")
        expect(dialog.get_by_label("Reason")).to_be_focused()
        assert violations(page) == []
        page.keyboard.type("the peer is being upgraded")
        page.keyboard.press("Enter")
        expect(dialog.locator("h1")).to_have_text("Applied")
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        # The page reads itself again on the notice of the decision; nobody loads it.
        expect(page.locator(".hero .pill")).to_have_text("paused")
        expect(page.locator(".why")).to_contain_text("the peer is being upgraded")
        expect(page.get_by_role("link", name="Resume", exact=True)).to_be_visible()
        expect(page.locator("#decisions")).to_contain_text("paused (the peer is being upgraded)")


def test_a_dialog_that_is_closed_as_soon_as_it_shows_its_answer_stays_closed(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, f"/batches/{own_site.batch('stalled')}") as page:
        open_action(page, "Pause")
        # In the same task that writes the answer, before htmx says that the swap has ended.
        page.evaluate("""() => {
            const body = document.getElementById("dialog-body");
            const swapped = new MutationObserver(() => {
                if (body.querySelector("h1")?.textContent.trim() === "Applied") body.closest("dialog").close();
            });
            swapped.observe(body, { childList: true, subtree: true });
            document.addEventListener("htmx:finally:swap", () => { document.body.dataset.swapped = "yes"; });
        }""")
        page.keyboard.press("Enter")
        expect(page.locator("body[data-swapped]")).to_be_attached()
        expect(page.locator(".hero .pill")).to_have_text("paused")
        expect(page.locator("dialog#dialog")).to_be_hidden()


def test_closing_a_dialog_changes_nothing_and_gives_the_focus_back(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, f"/batches/{own_site.batch('stalled')}") as page:
        before = len(own_site.cluster.inbox)
        open_action(page, "Cancel batch")
        page.get_by_role("link", name="Keep it as it is").press("Enter")
        expect(page.locator("dialog#dialog")).to_be_hidden()
        expect(page.get_by_role("link", name="Cancel batch")).to_be_focused()
        assert len(own_site.cluster.inbox) == before


def test_a_batch_that_has_changed_meanwhile_is_told_in_the_dialog(browser: Browser, own_site: Site) -> None:
    path = f"/batches/{own_site.batch('stalled')}"
    with (
        opened(browser, own_site, path) as page,
        opened(browser, own_site, f"{path}/actions/pause", script=False) as other,
    ):
        open_action(page, "Cancel batch")
        other.get_by_role("button", name="Pause").click()
        page.locator("dialog#dialog").get_by_role("button", name="Cancel the batch").click()
        expect(page.locator("dialog#dialog")).to_contain_text("Refused: nothing has changed")
        expect(page.locator("#refused")).to_be_focused()


def test_a_phase_that_is_held_is_retried_without_a_script(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, f"/batches/{own_site.batch('held')}", width=360, script=False) as page:
        page.locator("summary", has_text="Retry").click()
        page.get_by_role("link", name="the essays that it lost").click()
        expect(page.locator("h1")).to_contain_text("again?")
        page.get_by_role("button", name="Retry").click()
        expect(page.locator("h1")).to_contain_text("is tried again")
        expect(page.locator(".hero .pill")).to_have_text("applied")


def test_a_page_that_cannot_be_read_again_stays_and_says_so(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, f"/batches/{own_site.batch('stalled')}") as page:
        expect(page.locator("[data-live]")).to_have_attribute("data-live", "live")
        page.route("**/batches/*", lambda route: route.fulfill(status=503, body="<h1>away</h1>"))
        page.evaluate("document.body.dispatchEvent(new CustomEvent('batch', {bubbles: true, detail: {data: '{}'}}))")
        expect(page.locator("#not-current")).to_be_visible()
        expect(page.locator(".why")).to_contain_text("cj_assessment")
        page.unroute("**/batches/*")
        page.evaluate("document.body.dispatchEvent(new CustomEvent('batch', {bubbles: true, detail: {data: '{}'}}))")
        expect(page.locator("#not-current")).to_be_hidden()


def test_a_process_that_has_gone_is_forgotten(browser: Browser, own_site: Site) -> None:
    gone = process_record("orchestrator", instance="9", start_id="gone", state=ProcessState.FAILED)
    own_site.cluster.append(process_outgoing(gone), marker=False)
    with opened(browser, own_site, "/system") as page:
        row = page.locator("#process-orchestrator-9")
        expect(row.locator(".pill")).to_have_text("failed")
        assert violations(page) == []
        row.get_by_role("button", name="Forget orchestrator/9").press("Enter")
        expect(row).to_have_count(0)
        expect(page.locator("#process-orchestrator-0")).to_be_visible()
