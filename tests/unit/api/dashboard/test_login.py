"""Logging in with an API key, and out again."""

from collections.abc import AsyncIterator

import pytest

from api.access.authenticate import COOKIE
from api.access.keys import line_of
from tests.unit.api.memory import World, world

pytestmark = pytest.mark.anyio
KEY = "bos_reader"


@pytest.fixture
async def api() -> AsyncIterator[World]:
    async with world(api_keys=line_of("reader", KEY, ("read",))) as found:
        yield found


async def test_a_browser_is_led_to_the_login_and_back_with_a_cookie_of_its_own_pages(api: World) -> None:
    led = await api.client.get("/batches?status=failed", headers={"Accept": "text/html"})
    assert (led.status_code, led.headers["Location"]) == (303, "/login?next=%2Fbatches%3Fstatus%3Dfailed")
    form = await api.client.get(led.headers["Location"])
    assert 'value="/batches?status=failed"' in form.text
    answer = await api.client.post("/login", data={"key": f" {KEY} ", "next": "/batches?status=failed"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/batches?status=failed")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}={KEY};")
    assert {"HttpOnly", "SameSite=strict"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert (await api.client.get("/v1/batches/none/status")).status_code == 404, "the cookie is a credential"
    out = await api.client.post("/logout")
    assert out.headers["Location"] == "/login"
    assert (await api.client.get("/v1/batches/none/status")).status_code == 401


async def test_an_unknown_key_is_told_so_and_sets_no_cookie(api: World) -> None:
    answer = await api.client.post("/login", data={"key": "bos_wrong", "next": "/"})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "This key is not known" in answer.text
    assert "bos_wrong" not in answer.text


@pytest.mark.parametrize("wanted", ["//evil.example/a", "/\\evil.example", "https://evil.example", "", "/a\r\nX: y"])
async def test_the_login_leads_to_no_other_host(api: World, wanted: str) -> None:
    answer = await api.client.post("/login", data={"key": KEY, "next": wanted})
    location = answer.headers["Location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "X" not in answer.headers


async def test_over_https_the_cookie_is_secure(api: World) -> None:
    answer = await api.client.post("/login", data={"key": KEY}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["Set-Cookie"]


async def test_a_form_of_another_site_does_not_log_in(api: World) -> None:
    answer = await api.client.post("/login", data={"key": KEY}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
