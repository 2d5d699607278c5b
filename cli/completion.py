"""Completion of ids, statuses, phases and pipelines in a shell (`bos --install-completion`).

What the api knows is asked for within a moment, and kept for some seconds. Without an answer nothing is offered,
because a key press must never hang or print an error.
"""

import json
import time
import urllib.request
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from cli.api_client import credential, target_of
from cli.contexts import path_of_cache
from runtime.addresses import is_loopback
from schemas.internal.enums import BatchStatus, PhaseStatus

LIMIT_S = 0.3
"""Longest time that a completion waits for the api."""
KEPT_S = 5.0
"""How long an answer is kept."""
_MOST = 200
Offered = list[tuple[str, str]]
"""Words, each with what it stands for."""


def batch_ids(context: typer.Context, incomplete: str) -> Offered:
    """Return the newest batches whose id begins so."""
    rows = _rows(context, f"/v1/batches?limit={_MOST}", "batches")
    return _fitting([(str(row["batch_id"]), str(row["status"])) for row in rows], incomplete)


def letter_ids(context: typer.Context, incomplete: str) -> Offered:
    """Return the newest open dead letters whose id begins so."""
    rows = _rows(context, f"/v1/dead-letters?state=open&limit={_MOST}", "dead_letters")
    return _fitting([(str(row["dead_letter_id"]), str(row["code"])) for row in rows], incomplete)


def operation_ids(context: typer.Context, incomplete: str) -> Offered:
    """Return the newest operations whose id begins so."""
    rows = _rows(context, f"/v1/operations?limit={_MOST}", "operations")
    return _fitting([(str(row["operation_id"]), f"{row['action']}, {row['state']}") for row in rows], incomplete)


def pipelines(context: typer.Context, incomplete: str) -> Offered:
    """Return the pipelines whose name begins so."""
    rows = _rows(context, "/v1/pipelines", "pipelines")
    return _fitting([(str(row["name"]), f"version {row['version']}") for row in rows], incomplete)


def phases(context: typer.Context, incomplete: str) -> Offered:
    """Return the phases of all pipelines whose name begins so."""
    rows = _rows(context, "/v1/pipelines", "pipelines")
    found = {str(phase["name"]): f"of {row['name']}" for row in rows for phase in row["phases"]}
    return _fitting(list(found.items()), incomplete)


def batch_statuses(incomplete: str) -> list[str]:
    """Return the statuses of batches that begin so."""
    return [status.value for status in BatchStatus if status.value.startswith(incomplete)]


def phase_statuses(incomplete: str) -> list[str]:
    """Return the statuses of phases that begin so."""
    return [status.value for status in PhaseStatus if status.value.startswith(incomplete)]


def _fitting(known: Offered, incomplete: str) -> Offered:
    return [(word, meaning) for word, meaning in known if word.startswith(incomplete)]


def _rows(context: typer.Context, path: str, member: str) -> list[dict[str, Any]]:
    """Return the rows of an answer of the api; none where it gives no such answer in time."""
    try:
        target = target_of(context.params.get("url") or "")
        address, token = target.url.rstrip("/") + path, credential(target.token_file)
        rows: list[dict[str, Any]] = _kept(address, token)[member]
    except Exception:  # noqa: BLE001 - a wrong address, file, certificate or answer: nothing is offered
        return []
    return rows


def _kept(address: str, headers: dict[str, str]) -> dict[str, Any]:
    """Return the answer to a GET, at most `KEPT_S` old."""
    file = _file_of(address, headers)
    try:
        if 0 <= time.time() - file.stat().st_mtime < KEPT_S:
            return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError):  # there is none, or half of one
        pass
    body = _asked(address, headers)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_bytes(body)
    except OSError:  # a home that cannot be written costs a request each time
        pass
    return dict(json.loads(body))


def _file_of(address: str, headers: dict[str, str]) -> Path:
    asked = sha256(f"{address} {sorted(headers.items())}".encode()).hexdigest()
    return path_of_cache() / f"completion-{asked[:16]}.json"


def _asked(address: str, headers: dict[str, str]) -> bytes:
    direct = is_loopback(urlsplit(address).hostname or "")
    proxies = [urllib.request.ProxyHandler({})] if direct else []
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - the user's own address
    with urllib.request.build_opener(*proxies).open(request, timeout=LIMIT_S) as answer:
        return bytes(answer.read())
