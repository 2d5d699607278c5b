"""The OpenAPI document: valid, complete, and true to what the application says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.app import create_app
from api.openapi.problems import (
    ACCESS,
    BATCH_LIST,
    CONTROL,
    EXPLAIN,
    GO,
    HISTORY,
    IMAGINE,
    LETTER_GROUP,
    LETTER_PREVIEW,
    LETTER_WORK,
    LETTERS,
    NUMBERS,
    ONE_PIPELINE,
    PROBLEMS,
    REGISTER,
    REPLAY,
    STATUS,
    SYSTEM,
    WHAT_IF,
)
from api.paths import batch_path
from api.routes.control import CONTROLS
from api.settings import ApiSettings
from schemas.internal.dead_letters import dead_letter
from schemas.internal.outgoing import RecordPosition
from schemas.internal.processes import InputPosition
from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import process_record, world

REGISTER_PATH = "/v1/batches/register"
STATUS_PATH = "/v1/batches/{batch_id}/status"
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return create_app(ApiSettings(max_essays=700)).openapi()


def responses(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                yield path, status, response


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


@pytest.mark.slow
def test_it_is_valid(document: dict[str, Any]) -> None:
    validate(json.loads(json.dumps(document)))


def test_head_is_described_wherever_get_is(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        assert ("head" in operations) == ("get" in operations)
        if "get" in operations:
            answers = {method: operations[method]["responses"] for method in ("get", "head")}
            assert answers["head"].keys() == answers["get"].keys()
            assert [answer for answer in answers["head"].values() if "content" in answer] == []
    ids = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        found: Any = document
        for part in reference.split("/"):
            found = found[part]


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for _, _, response in responses(document):
        for content in response.get("content", {}).values():
            values = [example["value"] for example in content.get("examples", {}).values()]
            values += [content["example"]] if "example" in content else []
            for value in values:
                check(document, content["schema"], value)
                checked += 1
    assert checked > len(REGISTER) + len(STATUS)


def test_every_answer_names_its_headers(document: dict[str, Any]) -> None:
    for path, status, response in responses(document):
        assert "X-Correlation-ID" in response["headers"], (path, status)
        if status == "503" and path.startswith("/v1"):
            assert "Retry-After" in response["headers"]
    register = document["paths"][REGISTER_PATH]["post"]["responses"]
    assert "Location" in register["202"]["headers"]
    status = document["paths"][STATUS_PATH]["get"]["responses"]
    assert {"ETag", "Cache-Control"} <= set(status["200"]["headers"]) & set(status["304"]["headers"])


def test_every_status_of_the_routes_is_there(document: dict[str, Any]) -> None:
    access = {str(PROBLEMS[code].status) for code in ACCESS}
    register = set(document["paths"][REGISTER_PATH]["post"]["responses"])
    assert register == access | {"202", "400", "403", "405", "408", "409", "413", "415", "422", "500", "503"}
    status = set(document["paths"][STATUS_PATH]["get"]["responses"])
    assert status == access | {"200", "304", "400", "403", "404", "405", "500", "503"}

    for kind in CONTROLS:
        control = document["paths"][f"/v1/batches/{{batch_id}}/{kind}"]["post"]
        assert set(control["responses"]) == {str(PROBLEMS[code].status) for code in (*CONTROL, *ACCESS)} | {"200"}
        assert control["responses"].keys() == document["paths"][f"/v1/batches/{kind}"]["post"]["responses"].keys()


def test_every_code_that_a_client_can_meet_is_described() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "api").rglob("*.py") if "openapi" not in path.parts)
    names = re.findall(r'Problem\(\s*[^,]+,\s*(?:"ORC-|Code\.)([A-Z_-]+)', source)  # a literal, or the table's name
    raised = {f"ORC-{name.replace('_', '-')}" for name in names}
    assert raised, "the pattern finds what is raised"
    assert raised - set(PROBLEMS) == {"ORC-BAD-REQUEST"}, "what the framework may refuse by itself has no route"


@pytest.mark.anyio
async def test_the_answers_fit_their_schemas(document: dict[str, Any]) -> None:
    async with world() as api:
        for body in (seed_body(enable_cj_assessment=True), head_body()):
            registered = await api.client.post(REGISTER_PATH, json=body)
            check(document, {"$ref": "#/components/schemas/Registered"}, registered.json())
            shown = await api.client.get(registered.headers["Location"])
            check(document, {"$ref": "#/components/schemas/BatchStatus"}, shown.json())
            api.projection.project()
            for resource, schema in (("history", "History"), ("replay", "Replay")):
                shown = await api.client.get(batch_path(registered.json()["batch_id"], resource))
                assert len(shown.json()["decisions"]) == 1
                check(document, {"$ref": f"#/components/schemas/{schema}"}, shown.json())
        for path in ("/healthz", "/livez", "/readyz"):
            content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            check(document, content["schema"], (await api.client.get(path)).json())
        metrics = await api.client.get("/metrics")
        kinds = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
        assert metrics.headers["Content-Type"].partition(";")[0] in kinds


@pytest.mark.anyio
async def test_the_explanations_fit_their_schemas(document: dict[str, Any]) -> None:
    async with world() as api:
        batch_id = (await api.client.post(REGISTER_PATH, json=seed_body())).json()["batch_id"]
        base = f"/v1/batches/{batch_id}"
        version = (await api.client.get(f"{base}/status")).json()["version"]
        content = document["paths"]["/v1/batches/{batch_id}/what-if"]["post"]["requestBody"]["content"]["text/plain"]
        what_if = {"content": content["examples"]["held"]["value"], "headers": {"Content-Type": "text/plain"}}
        for answer, schema in (
            (await api.client.get(f"{base}?at={version}"), "BatchStatus"),
            (await api.client.get(f"{base}/diff?from={version}&to={version}"), "BatchDiff"),
            (await api.client.get(f"{base}/decisions/{version}"), "ExplainedDecision"),
            (await api.client.post(f"{base}/what-if", **what_if), "WhatIf"),
            (await api.client.post(f"{base}/imagine", json={"event": "ready", "failed": 1}), "NextDecision"),
        ):
            assert answer.status_code == 200, answer.text
            check(document, {"$ref": f"#/components/schemas/{schema}"}, answer.json())


@pytest.mark.anyio
async def test_the_answers_about_batches_and_the_whole_fit_their_schemas(document: dict[str, Any]) -> None:
    async with world() as api:
        registered = (await api.client.post(REGISTER_PATH, json=seed_body(enable_cj_assessment=True))).json()
        api.tell(process_record("router", positions=(InputPosition("requests", 0, 1, 2, 3.5),)))
        api.projection.project()
        batch = {"{batch_id}": registered["batch_id"], "{name}": "default"}
        for path in (
            *("/v1/batches", "/v1/batches/{batch_id}", "/v1/batches/{batch_id}/why", "/v1/stats", "/v1/system"),
            *("/v1/pipelines", "/v1/pipelines/{name}"),
        ):
            asked = path
            for name, value in batch.items():
                asked = asked.replace(name, value)
            shown = await api.client.get(asked, params={"counts": "yes"} if path == "/v1/batches" else {})
            assert shown.status_code == 200, shown.text
            described = document["paths"][path]["get"]["responses"]["200"]
            check(document, described["content"]["application/json"]["schema"], shown.json())
            assert {name.lower() for name in described["headers"]} <= set(shown.headers)


@pytest.mark.anyio
async def test_the_answers_about_dead_letters_fit_their_schemas(document: dict[str, Any]) -> None:
    first = RecordPosition("huleedu.els.batch.essays.ready.v1", 0, 4, 1_750_000_000_000)
    letter = dead_letter(value=b"x", key=None, first=first, code="ORC-NOT-JSON", reason="not JSON")
    path, one = "/v1/dead-letters", f"/v1/dead-letters/{letter.key.decode()}"
    group = {"filter": {"code": "ORC-NOT-JSON"}, "note": "n"}
    calls: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", path, None),
        ("GET", f"{path}/groups", None),
        ("POST", f"{one}/preview", None),
        ("POST", f"{path}/preview", group),
        ("POST", f"{path}/replay?dry_run=true", group),
        ("POST", f"{path}/replay", group),
        ("POST", f"{one}/discard", {"note": "n"}),
        ("GET", one, None),
    ]
    async with world() as api:
        api.cluster.append(letter)
        for method, asked, body in calls:
            answer = await api.client.request(method, asked, json=body)
            assert answer.status_code == 200, answer.text
            template = asked.partition("?")[0].replace(letter.key.decode(), "{dead_letter_id}")
            described = document["paths"][template][method.lower()]
            if body is not None:
                check(document, described["requestBody"]["content"]["application/json"]["schema"], body)
            check(document, described["responses"]["200"]["content"]["application/json"]["schema"], answer.json())


def test_the_limit_of_essays_is_the_settings(document: dict[str, Any]) -> None:
    count = document["components"]["schemas"]["SeedRegistration"]["properties"]["expected_essay_count"]
    assert count["anyOf"][0]["maximum"] == 700


@pytest.mark.parametrize(
    ("heading", "codes"),
    [
        ("Registering", REGISTER),
        ("Status", STATUS),
        ("Batches", tuple({*BATCH_LIST, *STATUS})),
        ("The whole", tuple({*SYSTEM, *NUMBERS, *ONE_PIPELINE, *GO})),
        ("Controlling a batch", CONTROL),
        ("History", HISTORY),
        ("Replay", REPLAY),
        ("Explaining a batch", tuple({*EXPLAIN, *WHAT_IF, *IMAGINE})),
        ("Dead letters", tuple({*LETTERS, *LETTER_PREVIEW, *LETTER_WORK, *LETTER_GROUP})),
    ],
)
def test_the_page_about_http_has_every_code_with_its_status(heading: str, codes: tuple[str, ...]) -> None:
    section = (ROOT / "docs/http.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| \d{3} \|", line)]
    told = {(int(row[2:5]), code) for row in rows for code in re.findall(r"`(ORC-[A-Z0-9-]+)`", row)}
    assert told == {(PROBLEMS[code].status, str(code)) for code in codes}


def test_the_page_about_http_has_the_codes_of_access() -> None:
    rows = (ROOT / "docs/http.md").read_text().partition("\n**Access.**")[2].partition("\n## ")[0]
    told = {(int(status), code) for status, code in re.findall(r"\| (\d{3}) \|.*`(ORC-[A-Z0-9-]+)`", rows)}
    assert told == {(PROBLEMS[code].status, str(code)) for code in ACCESS}
