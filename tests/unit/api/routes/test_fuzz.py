"""Whatever is sent, it is answered as a request that was taken or as the client's mistake; never as the service's."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.api.bodies import head_body, seed_body
from tests.unit.api.memory import World, world

REGISTER = "/v1/batches/register"
FIELDS = [*seed_body(), *head_body(), "essay_ids", "org_id", "class_id", "student_prompt_ref", "assignment_id"]
FIELDS += ["enable_cj_assessment", "cj_default_llm_model", "cj_default_temperature", "unknown"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["3", "SV1", "ENG5", "true"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
BODIES = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([seed_body(), head_body(), {}]),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5),
)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Correlation-ID", "Idempotency-Key", "X-User-ID", "X-Org-ID"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300),
    max_size=4,
)


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[asyncio.Runner, World]]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        found = runner.run(stack.enter_async_context(world()))
        yield runner, found
        runner.run(stack.aclose())


def post(api: tuple[asyncio.Runner, World], content: bytes, headers: dict[str, str]) -> None:
    runner, found = api
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    raw = {b"Content-Type": b"application/json", **raw}
    response = runner.run(found.client.post(REGISTER, content=content, headers=list(raw.items())))
    assert response.status_code in (202, 400, 409, 422), (response.status_code, response.text)
    if response.status_code != 202:
        problem = response.json()
        assert problem["code"].startswith("ORC-")
        assert problem["next_step"]


@settings(max_examples=150)
@given(body=BODIES | VALUES, headers=HEADERS)
def test_no_body_gives_a_5xx(api: tuple[asyncio.Runner, World], body: Any, headers: dict[str, str]) -> None:
    post(api, json.dumps(body).encode(), headers)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_give_a_5xx(api: tuple[asyncio.Runner, World], content: bytes) -> None:
    post(api, content, {})


@given(batch_id=st.text(min_size=1, max_size=300))
def test_no_batch_id_gives_a_5xx(api: tuple[asyncio.Runner, World], batch_id: str) -> None:
    runner, found = api
    escaped = "".join(f"%{byte:02x}" for byte in batch_id.encode())
    for path in (f"/v1/batches/{escaped}/status", f"/v1/batches/status?batch_id={escaped}"):
        response = runner.run(found.client.get(path))
        assert (response.status_code, response.json()["code"]) == (404, "ORC-BATCH-NOT-FOUND")
