"""Access over HTTP: credentials, bounds, foreign pages and names, rates, and the headers of every answer."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from api.access.authenticate import COOKIE
from api.access.check import check_access
from api.access.keys import line_of
from api.settings import ApiSettings
from schemas.errors import Code, ConfigurationError
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, world

pytestmark = pytest.mark.anyio
REGISTER = "/v1/batches/register"
READER, GATEWAY, OPERATOR, SCHOOL = "bos_reader", "bos_gateway", "bos_operator", "bos_school"
KEYS = "\n".join(
    (
        line_of("reader", READER, ("read",)),
        line_of("gateway", GATEWAY, ("write",)),
        line_of("operator", OPERATOR, ("operate",)),
        line_of("school", SCHOOL, ("operate",), organisation="school-1"),
    )
)


def with_key(key: str, **headers: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} | {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
async def api() -> AsyncIterator[World]:
    async with world(api_keys=KEYS) as found:
        yield found


async def registered(api: World, key: str, **headers: str) -> str:
    answer = await api.client.post(REGISTER, json=seed_body(), headers=with_key(key, **headers))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch_id"])


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-User-ID": "teacher-1"},
        {"Authorization": "Bearer bos_unknown"},
        {"Authorization": "Basic bos_reader"},
        {"Authorization": "Bearer"},
        {"X-API-Key": "unknown"},
        {"Cookie": f"{COOKIE}=unknown"},
    ],
)
async def test_without_a_valid_credential_nothing_is_answered(api: World, headers: dict[str, str]) -> None:
    answer = await api.client.get("/v1/batches/any/status", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, Code.UNAUTHENTICATED)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_probes_need_no_credential(api: World) -> None:
    for path in ("/livez", "/healthz", "/readyz", "/metrics"):
        assert (await api.client.get(path)).status_code == 200


@pytest.mark.parametrize("headers", [{"X-API-Key": READER}, {"Cookie": f"a=b; {COOKIE}={READER}"}])
async def test_a_key_may_come_in_its_own_header_or_a_cookie(api: World, headers: dict[str, str]) -> None:
    batch_id = await registered(api, GATEWAY)
    assert (await api.client.get(f"/v1/batches/{batch_id}/status", headers=headers)).status_code == 200


async def test_a_reader_sees_every_batch_and_controls_none(api: World) -> None:
    batch_id = await registered(api, GATEWAY, X_User_ID="teacher-1")
    assert (await api.client.get(f"/v1/batches/{batch_id}/status", headers=with_key(READER))).status_code == 200
    for path in (f"/v1/batches/{batch_id}/cancel", REGISTER):
        answer = await api.client.post(path, json=seed_body(), headers=with_key(READER))
        assert (answer.status_code, answer.json()["code"]) == (403, Code.SCOPE)


async def test_a_gateway_acts_for_users_who_see_their_own_batches_only(api: World) -> None:
    batch_id = await registered(api, GATEWAY, X_User_ID="teacher-1", X_Org_ID="school-1")
    path = f"/v1/batches/{batch_id}/status"
    for user, status in (("teacher-1", 200), ("teacher-2", 404)):
        headers = with_key(GATEWAY, X_User_ID=user, X_Org_ID="school-1")
        assert (await api.client.get(path, headers=headers)).status_code == status
    assert (await api.client.get(path, headers=with_key(GATEWAY))).status_code == 404


async def test_an_operator_is_bound_to_the_organisation(api: World) -> None:
    ours = await registered(api, GATEWAY, X_User_ID="teacher-1", X_Org_ID="school-1")
    theirs = await registered(api, GATEWAY, X_User_ID="teacher-1", X_Org_ID="school-2")
    cancelled = await api.client.post(f"/v1/batches/{ours}/cancel", json={}, headers=with_key(SCHOOL))
    assert cancelled.status_code == 200, cancelled.text
    for method, path in (("GET", "status"), ("POST", "cancel")):
        answer = await api.client.request(method, f"/v1/batches/{theirs}/{path}", headers=with_key(SCHOOL))
        assert answer.status_code in {404, 409}, answer.text
    status = await api.client.get(f"/v1/batches/{theirs}/status", headers=with_key(OPERATOR))
    assert status.json()["status"] != "cancelled"
    assert (await api.client.get("/v1/dead-letters", headers=with_key(SCHOOL))).status_code == 403
    assert (await api.client.get("/v1/dead-letters", headers=with_key(OPERATOR))).status_code == 200


async def test_a_bound_key_does_not_act_outside_its_bounds(api: World) -> None:
    headers = with_key(SCHOOL, X_Org_ID="school-2")
    answer = await api.client.post(REGISTER, json=seed_body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, Code.SCOPE)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://api"}, 202),
        ({"Sec-Fetch-Site": "none"}, 202),
        ({"Origin": "http://api"}, 202),
        ({}, 202),
    ],
)
async def test_a_page_of_another_site_changes_nothing(headers: dict[str, str], status: int) -> None:
    async with world() as api:
        answer = await api.client.post(REGISTER, json=seed_body(), headers=headers)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["code"] == Code.FOREIGN_PAGE


async def test_a_foreign_name_is_not_answered_on_loopback() -> None:
    async with world() as api:
        for path in ("/v1/batches/any/status", "/openapi.json"):
            answer = await api.client.get(path, headers={"Host": "rebound.evil.example:5000"})
            assert (answer.status_code, answer.json()["code"]) == (421, Code.HOST)


async def test_names_can_be_allowed_and_with_credentials_any_is() -> None:
    async with world(allowed_hosts="batches.school.example") as api:
        answer = await api.client.get("/openapi.json", headers={"Host": "batches.school.example"})
        assert answer.status_code == 200
    async with world(api_keys=KEYS) as api:
        headers = with_key(READER, Host="batches.school.example")
        assert (await api.client.get("/openapi.json", headers=headers)).status_code == 200


async def test_the_rate_is_that_of_a_caller() -> None:
    async with world(api_keys=KEYS, rate_limit_per_s=0.01) as api:
        path = "/v1/batches/any/status"
        assert (await api.client.get(path, headers=with_key(READER))).status_code == 404
        answer = await api.client.get(path, headers=with_key(READER))
        assert (answer.status_code, answer.json()["code"]) == (429, Code.RATE_LIMIT)
        assert int(answer.headers["Retry-After"]) > 1
        assert (await api.client.get(path, headers=with_key(OPERATOR))).status_code == 404
        assert (await api.client.get("/healthz")).status_code == 200


async def test_a_browser_without_a_key_is_led_to_the_login(api: World) -> None:
    answer = await api.client.get("/v1/batches/a%2Fb/status?wait=1", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login?next=%2Fv1%2Fbatches")


async def test_every_answer_carries_the_security_headers(api: World) -> None:
    for path, headers in (("/healthz", {}), ("/v1/batches/any/status", {}), ("/nothing", with_key(READER))):
        answer = await api.client.get(path, headers=headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"host": "0.0.0.0"}, Code.OPEN_ACCESS),
        ({"host": "::"}, Code.OPEN_ACCESS),
        ({"api_keys": "nonsense"}, Code.CONFIG),
        ({"jwt_jwks": "/nowhere", "jwt_issuer": "i", "jwt_audience": "a"}, Code.CONFIG),
        ({"host": "127.0.0.1"}, None),
        ({"host": "0.0.0.0", "api_keys": KEYS}, None),
        ({"host": "0.0.0.0", "allow_anyone_on_the_network": True}, None),
    ],
)
def test_the_api_does_not_listen_beyond_loopback_without_control(settings: dict[str, object], code: str | None) -> None:
    made = ApiSettings(**settings)  # type: ignore[arg-type]
    if code is None:
        check_access(made)
        return
    with pytest.raises(ConfigurationError) as raised:
        check_access(made)
    assert raised.value.code == code


def test_secrets_do_not_show() -> None:
    assert KEYS[:20] not in repr(ApiSettings(api_keys=SecretStr(KEYS)))
