"""Bulk actions: previewed by disposition, begun with a reason, watched and kept."""

from playwright.sync_api import Browser, expect

from tests.browser.pages import opened
from tests.browser.serving import Site


def test_all_that_fit_a_filter_are_previewed_paused_and_counted_by_disposition(
    browser: Browser, own_site: Site
) -> None:
    with opened(browser, own_site, "/batches?course=ENG5&ended=no") as page:
        page.get_by_label("With the selected").select_option("pause")
        page.get_by_role("button", name="Preview for all that fit the filter").click()
        expect(page.locator("h1")).to_have_text("Pause batches: 13?")
        expect(page.locator(".legend")).to_contain_text("12 applied, batch paused")
        expect(page.locator(".legend")).to_contain_text("1 refused, already paused")
        page.get_by_label("Why").fill("the language server is being upgraded")
        page.get_by_role("button", name="Pause batches").click()
        expect(page.locator("main")).to_contain_text("13 of 13 decided")
        expect(page.locator("main .pill").first).to_have_text("finished")
        page.get_by_role("link", name="Operations").first.click()
        expect(page.locator("tr[data-row]").first).to_contain_text("the language server is being upgraded")


def test_selected_batches_are_retried_in_a_phase_without_script(browser: Browser, own_site: Site) -> None:
    held = own_site.batch("held")
    with opened(browser, own_site, "/batches?held=yes", script=False) as page:
        page.locator(f"[id='batch-{held}'] input").check()
        page.get_by_label("With the selected").select_option("retry")
        page.get_by_role("button", name="Preview", exact=True).click()
        page.locator("select[name=phase_to_retry]").select_option("nlp")
        page.get_by_role("button", name="Preview").click()
        expect(page.locator(".legend")).to_contain_text("1 applied")
        page.get_by_label("Why").fill("the model server runs again")
        page.get_by_role("button", name="Retry nlp").click()
        expect(page.locator("main")).to_contain_text("the model server runs again")


def test_an_empty_selection_is_no_selection_of_everything(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/batches") as page:
        page.get_by_role("button", name="Preview", exact=True).click()
        expect(page.locator("main")).to_contain_text("No batch is selected.")
    with opened(browser, site, "/operations/new?of=filter&action=cancel") as page:
        expect(page.locator("main")).to_contain_text("The filter is empty")
