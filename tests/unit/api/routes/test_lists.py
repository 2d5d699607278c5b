"""Lists of batches over HTTP, and everything known of one."""

import pytest

from api.paths import resource_path
from schemas.errors import ProjectionError
from schemas.internal.dead_letters import dead_letter
from schemas.internal.outgoing import RecordPosition
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, until, world

pytestmark = pytest.mark.anyio
PATH = "/v1/batches"
ANN = {"X-User-ID": "ann", "X-Org-ID": "school"}
BO = {"X-User-ID": "bo", "X-Org-ID": "school"}
GONE = ProjectionError("The projection database cannot be read.", next_step="Start it.")


async def register(api: World, headers: dict[str, str] | None = None, **body: object) -> str:
    """Register a batch that the projection then has."""
    answer = await api.client.post(f"{PATH}/register", json=seed_body(**body), headers=headers or {})
    assert answer.status_code == 202, answer.text
    api.projection.project()
    return str(answer.json()["batch_id"])


async def listed(api: World, query: str = "", headers: dict[str, str] | None = None) -> list[str]:
    answer = await api.client.get(f"{PATH}{query}", headers=headers or {})
    assert answer.status_code == 200, answer.text
    return [batch["batch_id"] for batch in answer.json()["batches"]]


async def test_a_list_is_read_a_page_at_a_time_newest_first() -> None:
    async with world() as api:
        ids = [await register(api) for _ in range(3)]
        first = (await api.client.get(f"{PATH}?limit=2")).json()
        assert [batch["batch_id"] for batch in first["batches"]] == [ids[2], ids[1]]
        rest = (await api.client.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert [batch["batch_id"] for batch in rest["batches"]] == [ids[0]]
        assert rest["next_cursor"] is None
        assert first["as_of"].startswith("2025-06-15T")
        assert first["stale"] is None


async def test_a_batch_in_a_list_is_its_status_with_why_and_without_essays() -> None:
    async with world() as api:
        batch_id = await register(api)
        batch = (await api.client.get(PATH)).json()["batches"][0]
        status = (await api.client.get(f"{PATH}/{batch_id}/status")).json()
        assert batch["why"]["code"] == "deadline_passed", "the records of this cluster are old"
        assert {action["name"] for action in batch["why"]["advice"] if action["allowed"]} == {"pause", "cancel"}
        assert batch["open_dead_letters"] == 0
        assert batch["links"] == {"self": f"{PATH}/{batch_id}"}
        assert status.keys() - batch.keys() == {"failed_essays", "file_failures"}
        assert batch | status == batch | {name: status[name] for name in ("failed_essays", "file_failures")}


async def test_a_filter_narrows_the_list() -> None:
    async with world() as api:
        eng, sv = await register(api, course_code="ENG5"), await register(api, course_code="SV1")
        assert await listed(api, "?course=SV1") == [sv]
        assert await listed(api, "?ended=yes") == []
        assert await listed(api, "?status=awaiting_content_validation&created_from=2020-01-01") == [sv, eng]
        assert await listed(api, "?created_before=2020-01-01") == []


async def test_an_unknown_name_names_the_nearest() -> None:
    async with world() as api:
        answer = await api.client.get(f"{PATH}?statsu=cancelled")
        assert answer.status_code == 400
        assert answer.json()["code"] == "ORC-FILTER"
        assert answer.json()["next_step"] == "Did you mean status?"
        assert answer.json()["details"][0]["loc"] == ["query", "statsu"]


@pytest.mark.parametrize(
    ("query", "code"),
    [("?limit=0", "ORC-VALIDATION"), ("?limit=201", "ORC-VALIDATION"), ("?cursor=abc", "ORC-CURSOR")],
)
async def test_what_else_is_refused(query: str, code: str) -> None:
    async with world() as api:
        answer = await api.client.get(PATH + query)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_a_caller_with_a_name_sees_its_own_batches_only() -> None:
    async with world() as api:
        ann, bo, nobody = await register(api, ANN), await register(api, BO), await register(api)
        assert await listed(api, headers=ANN) == [ann]
        assert await listed(api, headers=BO) == [bo]
        assert await listed(api, headers=ANN | {"X-Org-ID": "other"}) == []
        assert await listed(api) == [nobody, bo, ann], "an anonymous caller sees all"
        counts = (await api.client.get(f"{PATH}?counts=yes", headers=ANN)).json()["counts"]
        assert counts["batches"] == {"awaiting_content_validation": 1}
        assert (await api.client.get(f"{PATH}/{bo}", headers=ANN)).status_code == 404


async def test_without_a_scope_nothing_is_listed() -> None:
    async with world(anonymous_scopes=()) as api:
        assert (await api.client.get(PATH)).status_code == 403


async def test_the_same_list_is_not_sent_again() -> None:
    async with world() as api:
        batch_id = await register(api)
        first = await api.client.get(PATH)
        again = await api.client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        assert again.content == b""
        await api.client.post(f"{PATH}/{batch_id}/pause", json={"reason": "r"})
        api.projection.project()
        changed = await api.client.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
        assert changed.status_code == 200


async def test_while_the_database_is_away_the_last_page_is_given_and_says_so() -> None:
    async with world() as api:
        batch_id = await register(api)
        seen = (await api.client.get(PATH)).json()
        seen_since = (await api.client.get(f"{PATH}?since=24h")).json()
        api.projection.error = GONE
        old = await api.client.get(PATH)
        assert old.status_code == 200
        assert old.json()["batches"] == seen["batches"]
        assert old.json()["stale"].startswith(f"Lists are from {seen['as_of']}: the projection database cannot be read")
        assert api.services.lists.stale == old.json()["stale"]
        since = (await api.client.get(f"{PATH}?since=24h")).json()
        assert since["batches"] == seen_since["batches"]
        unseen = await api.client.get(f"{PATH}?ended=yes")
        assert (unseen.status_code, unseen.json()["code"], unseen.headers["Retry-After"]) == (503, "ORC-NOT-READY", "5")
        other = await api.client.get(PATH, headers=ANN)
        assert other.status_code == 503, "the page of one caller is not another's"
        single = await api.client.get(f"{PATH}/{batch_id}")
        assert single.status_code in (200, 503)
        api.projection.error = None

        async def current() -> bool:
            return (await api.client.get(PATH)).json()["stale"] is None

        await until(current)


async def test_everything_known_of_a_batch() -> None:
    async with world() as api:
        batch_id = await register(api)
        first = RecordPosition("huleedu.els.batch.essays.ready.v1", 0, 4, 1_750_000_000_000)
        api.cluster.append(
            dead_letter(
                value=b"x", key=batch_id.encode(), first=first, code="ORC-NOT-JSON", reason="not JSON", wrapped=True
            )
        )
        answer = await api.client.get(f"{PATH}/{batch_id}")
        body = answer.json()
        status = (await api.client.get(f"{PATH}/{batch_id}/status")).json()
        assert body | status == body
        assert body["open_dead_letters"] == 1
        assert [each["code"] for each in body["dead_letters"]] == ["ORC-NOT-JSON"]
        assert body["why"]["code"] == "dead_letter_open"
        why = (await api.client.get(f"{PATH}/{batch_id}/why")).json()
        assert why["why"]["code"] == body["why"]["code"]
        assert why["version"] == body["version"]
        for name in ("self", "status", "why", "history", "replay"):
            assert (await api.client.get(body["links"][name])).status_code == 200
        tag = {"If-None-Match": answer.headers["ETag"]}
        assert (await api.client.get(f"{PATH}/{batch_id}", headers=tag)).status_code == 304


async def test_an_owner_sees_how_many_dead_letters_there_are_but_not_what_is_in_them() -> None:
    async with world() as api:
        batch_id = await register(api, ANN)
        body = (await api.client.get(f"{PATH}/{batch_id}", headers=ANN)).json()
        assert (body["open_dead_letters"], body["dead_letters"]) == (0, None)


async def test_a_batch_of_any_id_has_a_path() -> None:
    async with world() as api:
        paths = [resource_path(batch_id) for batch_id in (".", "..", "register", "status", "a/b", "å")]
        for path in paths:
            assert (await api.client.get(path)).json()["code"] == "ORC-BATCH-NOT-FOUND", path


async def test_a_word_that_only_a_post_can_mean_is_no_batch() -> None:
    async with world() as api:
        answer = await api.client.get(f"{PATH}/register")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
