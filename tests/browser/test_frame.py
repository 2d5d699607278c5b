"""What every page has: keys, colours and times."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.pages import opened
from tests.browser.serving import Site


def focused(page: Page) -> str:
    """Return the text of what has the focus."""
    return str(page.evaluate("document.activeElement?.innerText ?? ''"))


def test_the_keys_go_to_pages_and_rows(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/no-such-page") as page:
        page.keyboard.press("g")
        page.keyboard.press("d")
        page.wait_for_url("**/dead-letters")
        first, second = page.locator("tr[data-row] a").all_inner_texts()[0:5:2][:2]
        page.keyboard.press("j")
        assert focused(page) == page.locator("tr[data-row]").first.locator("a").first.inner_text()
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert focused(page) == first != second
        page.keyboard.press("Enter")
        page.wait_for_url("**/dead-letters/*")


def test_a_slash_finds_and_a_question_mark_helps(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters") as page:
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.type("?g")
        expect(page.locator("#search")).to_have_value("?g")
        page.locator("h1").click()
        page.keyboard.press("Control+k")
        expect(page.locator("#search")).to_be_focused()
        page.locator("h1").click()
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#help")).to_be_hidden()


def test_the_keys_can_be_switched_off(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters") as page:
        page.get_by_role("button", name="Keys").click()
        page.get_by_label("Use these keys").uncheck()
        page.get_by_role("button", name="Close").click()
        page.locator("h1").click()
        page.keyboard.press("/")
        expect(page.locator("#search")).not_to_be_focused()


def test_the_first_tab_stop_leads_to_the_content(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters") as page:
        page.keyboard.press("Tab")
        assert focused(page) == "Skip to content"
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_colours_follow_the_system_until_somebody_chooses(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters", scheme="dark") as page:
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        dark = page.evaluate(ground)
        page.locator("[data-theme-switch]").click()
        light = page.evaluate(ground)
        assert light != dark
        page.reload()
        assert page.evaluate(ground) == light


def test_colours_are_chosen_without_script_too(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters", script=False) as page:
        page.locator("noscript button").click()
        expect(page.locator("html")).to_have_attribute("data-theme", re.compile("dark|light"))
        expect(page.locator("h1")).to_have_text("Dead letters")


def test_times_are_relative_utc_and_local(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters") as page:
        time = page.locator("tr[data-row] time").first
        expect(time).to_have_text("4m ago")
        page.keyboard.press("t")
        expect(time).to_have_text("2026-11-24 13:59:22.120Z")
        page.keyboard.press("t")
        expect(time).to_have_text("2026-11-24 14:59:22.120 Europe/Stockholm")
        page.reload()
        expect(time).to_have_text("2026-11-24 14:59:22.120 Europe/Stockholm")
        page.keyboard.press("t")
        expect(time).to_have_text("4m ago")


def test_a_wrong_clock_of_the_browser_does_no_harm(browser: Browser, site: Site) -> None:
    with opened(browser, site, "/dead-letters") as page:
        page.clock.set_fixed_time(0)
        page.reload()
        expect(page.locator("tr[data-row] time").first).to_have_text("4m ago")
