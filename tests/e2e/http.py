"""A small HTTP client of the product."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from tests.patience import PATIENCE_S

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""An HTTP client without a proxy, for servers on this machine."""
BODY = {
    "expected_essay_count": 5,
    "course_code": "ENG5",
    "class_designation": "9A",
    "teacher_name": "Ms Berg",
    "essay_instructions": "Argue.",
    "enable_cj_assessment": True,
}


def call(method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Return status and body. Raises `OSError` without an answer."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=data, method=method, headers=sent)
    try:
        with _DIRECT.open(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except HTTPException as error:  # half an answer is none
        raise ConnectionError(str(error)) from error


def register(url: str, key: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Register a batch, repeating the call with its key while the product is busy; return the body of the 202."""
    for _ in range(20):
        status, answer = call("POST", f"{url}/v1/batches/register", body or BODY, {"Idempotency-Key": key})
        if status != 503:
            break
    assert status == 202, answer
    return answer


def status_of(url: str, batch_id: str) -> dict[str, Any]:
    """Return the status body of a batch."""
    status, answer = call("GET", f"{url}/v1/batches/{batch_id}/status")
    assert status == 200, answer
    return answer
