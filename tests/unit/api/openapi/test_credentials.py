"""Every operation of the document with a credential of every kind, and with none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.openapi.security import SCHEMES
from api.settings import ApiSettings
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World, world
from tests.unit.api.openapi.credentials import Credentials

pytestmark = pytest.mark.anyio
PROBES = {"/healthz", "/livez", "/readyz", "/metrics"}
REFUSED = {401, 403}
EXAMPLES = {"version": "1", "from": "1", "to": "1", "q": "4c152a9b"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def request_of(path: str, method: str, operation: dict[str, Any], batch_id: str) -> dict[str, Any]:
    """Return a request of an operation that fits its description."""
    query = {}
    for parameter in operation["parameters"]:
        name = parameter.get("name", "")
        value = batch_id if name in {"batch_id", "anything"} else EXAMPLES.get(name, "unknown")
        if parameter.get("in") == "path":
            path = path.replace(f"{{{name}}}", value)
        elif parameter.get("in") == "query" and parameter.get("required"):
            query[name] = value
    request = {"method": method.upper(), "url": path, "params": query}
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        examples = [each["value"] for each in content.get("examples", {}).values()] or [content.get("example", {})]
        body = {"content": examples[0]} if isinstance(examples[0], str) else {"json": examples[0]}
        return {**request, **body, "headers": {"Content-Type": kind}}
    return request


async def asked(api: World, request: dict[str, Any], credential: str | None) -> int:
    """Return the status of the answer to a request."""
    headers = request.get("headers", {}) | ({} if credential is None else {"Authorization": f"Bearer {credential}"})
    return (await api.client.request(**{**request, "headers": headers})).status_code


@pytest.mark.slow
async def test_every_operation_answers_every_credential_as_the_document_says(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path)
    async with world(**credentials.settings, stream_max_s=0.02, max_wait_s=0.02) as api:  # type: ignore[arg-type]
        gateway = {"Authorization": f"Bearer {credentials.valid['gateway']}"}
        registered = await api.client.post("/v1/batches/register", json=seed_body(), headers=gateway)
        document, answered = api.app.openapi(), 0
        for path, method, operation in operations(document):
            request = request_of(path, method, operation, registered.json()["batch_id"])
            documented = {int(status) for status in operation["responses"]}
            statuses = {}
            for kind, credential in (credentials.valid | credentials.invalid).items():
                status = statuses[kind] = await asked(api, request, credential)
                assert status in documented, (method, path, kind, status)
                if kind in credentials.invalid and path not in PROBES:
                    assert status == 401, (method, path, kind, status)
            assert {statuses[kind] for kind in credentials.valid} - REFUSED, (method, path, "nobody may do it")
            assert statuses["operator"] not in REFUSED, (method, path)
            answered += len(statuses)
        assert answered > 800


@pytest.mark.parametrize("required", [False, True])
def test_the_document_names_the_credentials(*, required: bool) -> None:
    keys = {"api_keys": "a sha256=" + 64 * "0" + " scopes=read"} if required else {}
    document = create_app(ApiSettings(**keys)).openapi()  # type: ignore[arg-type]
    assert document["components"]["securitySchemes"] == SCHEMES
    for path, _, operation in operations(document):
        expected: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
        assert operation["security"] == ([] if path in PROBES else expected if required else [*expected, {}])
