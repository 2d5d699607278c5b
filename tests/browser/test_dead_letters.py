"""What can be done with dead letters, with and without script."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.pages import opened
from tests.browser.serving import Site


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_dead_letter_is_previewed_replayed_and_decided(browser: Browser, own_site: Site, *, script: bool) -> None:
    letter_id = own_site.letter(code="ORC-UNKNOWN-BATCH").letter.dead_letter_id
    with opened(browser, own_site, "/dead-letters", script=script) as page:
        page.locator(f"[id='letter-{letter_id}'] th a").click()
        page.get_by_role("link", name="Preview replay").click()
        expect(page.locator("main")).to_contain_text("would be applied")
        expect(page.locator("main")).to_contain_text("spellcheck: 28 essays passed")
        page.get_by_label("Note").fill("the registration came late")
        page.get_by_role("button", name="Replay").click()
        expect(page.locator("main")).to_contain_text("the registration came late")
        expect(page.locator(".pill").first).to_have_text("replayed")
        expect(page.get_by_role("link", name="Preview replay")).to_have_count(0)


def test_a_dead_letter_is_discarded_with_a_note_and_can_still_be_replayed(browser: Browser, own_site: Site) -> None:
    letter_id = own_site.letter(code="ORC-NOT-JSON").letter.dead_letter_id
    with opened(browser, own_site, f"/dead-letters/{letter_id}") as page:
        page.get_by_role("link", name="Discard with a note").click()
        page.get_by_role("button", name="Discard").click()
        assert page.url.endswith("/discard"), "a reason is asked for"
        page.get_by_label("Note").fill("sent by a script that is gone")
        page.get_by_role("button", name="Discard").click()
        expect(page.locator(".pill").first).to_have_text("discarded")
        expect(page.locator("main")).to_contain_text("sent by a script that is gone")
        expect(page.get_by_role("link", name="Preview replay")).to_be_visible()


def test_a_group_is_previewed_by_outcome_and_replayed(browser: Browser, own_site: Site) -> None:
    with opened(browser, own_site, "/dead-letters") as page:
        page.get_by_role("link", name="Preview replay of ORC-UNKNOWN-BATCH").click()
        expect(page.locator(".legend")).to_contain_text("6 would be applied")
        expect(page.locator(".legend")).to_contain_text("4 dead letter again")
        page.get_by_role("button", name="Replay 10").click()
        expect(page.locator("h1")).to_have_text("10 of 10 dead letters replayed")
        page.get_by_role("link", name="To the open dead letters").click()
        expect(page.locator("main")).not_to_contain_text("ORC-UNKNOWN-BATCH")


def test_a_value_is_shown_in_each_form_it_has(browser: Browser, site: Site) -> None:
    letter_id = site.letter(code="ORC-UNKNOWN-BATCH").letter.dead_letter_id
    with opened(browser, site, f"/dead-letters/{letter_id}") as page:
        expect(page.locator("pre.bytes")).to_contain_text('"phase_status": "COMPLETED_SUCCESSFULLY"')
        page.get_by_role("link", name="Text").click()
        expect(page.locator("pre.bytes")).to_contain_text('{"event_id":')
        page.get_by_role("link", name="Hex").click()
        expect(page.locator("pre.bytes")).to_contain_text("00000000  7b 22 65 76 65 6e 74")


def test_a_form_of_another_site_does_nothing(browser: Browser, own_site: Site) -> None:
    letter_id = own_site.letter().letter.dead_letter_id
    with opened(browser, own_site, f"/dead-letters/{letter_id}/replay") as page:
        answer = page.request.post(
            f"/dead-letters/{letter_id}/replay", form={"note": ""}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status == 403
        assert own_site.letter().letter.dead_letter_id == letter_id
