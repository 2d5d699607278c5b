"""What `bos demo --keep` plays after its verdict: steady traffic in which something is always worth looking at.

A batch is registered every few seconds. Peers take up to half a minute, so some phases are overdue; some fail and are
held for a person; some batches are paused; and now and then records come that nobody can decide.
"""

import asyncio
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from cli.demo.plan import PlannedBatch, plan
from cli.supervision.stack import Stack
from peers.options import Era, PeerOptions
from peers.playing import Peers
from peers.strays import send_strays

CAREFUL = "careful"
PIPELINES = f"""# Written by `bos demo --keep`.
default = "default"

[[pipelines]]
name = "default"
version = 1

[[pipelines.phases]]
name = "spellcheck"
stalled_after_s = 20

[[pipelines.phases]]
name = "cj_assessment"
after = ["spellcheck"]
when = "enable_cj_assessment"
stalled_after_s = 20

[[pipelines]]
name = "{CAREFUL}"
version = 1

[[pipelines.phases]]
name = "spellcheck"
stalled_after_s = 20

[[pipelines.phases]]
name = "cj_assessment"
after = ["spellcheck"]
when = "enable_cj_assessment"
stalled_after_s = 20
on_failure = "hold"
hold_s = 900
"""
_EVERY_S = 4.0
_PAUSE_EACH = 15
_STRAYS_EACH = 12
_ROUND = 60
"""Registrations of one plan; the next plan has another seed."""


def write_pipelines(directory: Path) -> Path:
    """Write the file of the pipelines, and return its path."""
    path = directory / "showcase.toml"
    path.write_text(PIPELINES, encoding="utf-8")
    return path


def slow_peers(options: PeerOptions) -> PeerOptions:
    """Return the options of peers that take their time, and fail now and then."""
    return replace(
        options,
        seed=options.seed + 1,
        latency=(1.0, 25.0),
        failed_essay_rate=max(0.05, options.failed_essay_rate),
        critical_rate=max(0.12, options.critical_rate),
        judges_ends=False,
    )


def play(
    product: Stack, peers: PeerOptions, *, essays: int, era: Era, console: Console, asked: threading.Event
) -> None:
    """Play until `asked` is set. Raises what the supervisor raises where a process was given up."""
    console.print(f"[bold]Dashboard: {product.api_url}/[/]   batches keep coming; Ctrl-C stops everything.")
    console.print(f"Health: {product.api_url}/healthz   Metrics: {product.api_url}/metrics")
    with Peers(slow_peers(peers), product.options.bootstrap_servers):
        asyncio.run(_traffic(product, peers, essays, era, asked))


async def _traffic(product: Stack, peers: PeerOptions, essays: int, era: Era, asked: threading.Event) -> None:
    earlier: list[str] = []
    async with httpx.AsyncClient(base_url=product.api_url, timeout=30, trust_env=False) as http:
        for number in count(1):
            planned = _planned(number, essays, era, peers.seed)
            registered = await _sent(http, "/v1/batches/register", planned.body, planned.key)
            earlier += [registered["batch_id"]] if "batch_id" in registered else []
            if number % _PAUSE_EACH == 0 and len(earlier) > 3:
                body = {"reason": "checking the texts with the school"}
                await _sent(http, f"/v1/batches/{earlier[-3]}/pause", body, f"pause-{number}")
            if number % _STRAYS_EACH == 2:
                await asyncio.to_thread(send_strays, peers, product.options.bootstrap_servers)
            if await asyncio.to_thread(asked.wait, _EVERY_S):
                return
            product.supervisor.check()


def _planned(number: int, essays: int, era: Era, seed: int) -> PlannedBatch:
    round_, index = divmod(number, _ROUND)
    planned = plan(batches=_ROUND, essays=essays, era=era, seed=seed + 1_000 + round_)[index]
    pipeline: dict[str, Any] = {"pipeline": CAREFUL} if number % 2 else {}
    return replace(planned, body=planned.body | pipeline)


async def _sent(http: httpx.AsyncClient, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the answer; an empty one where the api is away: the next turn goes on."""
    try:
        answer = await http.post(path, json=body, headers={"Idempotency-Key": key})
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, ValueError):
        return {}
    return found
