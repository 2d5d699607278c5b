"""A filter of the list of batches is saved under a name, found again, and forgotten."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pages import opened, violations
from tests.browser.serving import Site


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_filter_is_saved_found_again_and_forgotten(browser: Browser, site: Site, *, script: bool) -> None:
    with opened(browser, site, "/batches?course=ENG5", script=script) as page:
        page.get_by_text("Save this view").click()
        if script:
            assert violations(page) == []
        page.get_by_label("Name").fill("English")
        page.get_by_role("button", name="Save", exact=True).click()
        tab = page.locator(".tab", has_text="English")
        expect(tab).to_have_attribute("aria-current", "page")
        page.goto(page.url.partition("?")[0])
        expect(tab).not_to_have_attribute("aria-current", "page")
        tab.click()
        expect(page.locator(".chip")).to_have_count(1)
        page.get_by_role("button", name="Forget this view").click()
        expect(tab).to_have_count(0)
        expect(page.locator(".chip")).to_have_count(1)
