"""The newcomer's story by keyboard alone: a stuck batch is found, understood, retried and followed."""

from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import opened
from tests.browser.serving import Site


def tab_to(page: Page, text: str) -> None:
    """Press Tab until the focus is on what has this text."""
    for _ in range(120):
        page.keyboard.press("Tab")
        name = page.evaluate("(document.activeElement?.innerText || document.activeElement?.ariaLabel || '').trim()")
        if str(name).startswith(text):
            return
    raise AssertionError(f"the focus never comes to {text!r}")


def test_a_stuck_batch_is_found_understood_and_retried_by_keyboard(browser: Browser, own_site: Site) -> None:
    held = own_site.batch("held")
    with opened(browser, own_site, "/") as page:
        expect(page.locator("main")).to_contain_text("A phase is held for a person")
        tab_to(page, held[:8])
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/batches/{held}")
        expect(page.locator(".why").first).to_contain_text("nlp is held for a person")
        tab_to(page, "Retry")
        page.keyboard.press("Enter")
        tab_to(page, "nlp: all its essays")
        page.keyboard.press("Enter")
        expect(page.get_by_text("What would be decided now").first).to_be_visible()
        tab_to(page, "Retry")
        page.keyboard.press("Enter")
        expect(page.locator("body")).to_contain_text("nlp is tried again")


def test_the_pager_story_on_a_telephone(browser: Browser, own_site: Site) -> None:
    """See that it failed, read why, run it again: at 360 px."""
    held = own_site.batch("held")
    with opened(browser, own_site, "/batches?held=yes", width=360, has_touch=True) as page:
        page.locator(f"[id='batch-{held}'] th a").tap()
        expect(page.locator(".why").first).to_contain_text("nlp is held for a person")
        page.locator("details.menu summary").tap()
        page.get_by_role("link", name="nlp: all its essays").tap()
        expect(page.get_by_text("What would be decided now").first).to_be_visible()


def test_any_id_is_found_from_every_page(browser: Browser, site: Site) -> None:
    held = site.batch("held")
    with opened(browser, site, "/system") as page:
        page.keyboard.press("/")
        page.keyboard.type(held[:10])
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/batches/{held}")
