"""The api on a real Kafka over a projection database that takes five seconds for each answer."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import httpx

from cli.broker import Kafka
from cli.supervision.stack import Stack, StackOptions
from tests.patience import PATIENCE_S, await_that
from tests.unit.api.bodies import seed_body
from tests.unit.api.queries.databases import sqlite_held

SLOW_S = 5.0
EACH = 100
CLIENTS = 5
ROUNDS = 10
MOST = 1.2
REPEATED_S = 0.5


@contextmanager
def slow(database: Path) -> Iterator[None]:
    """Hold the database for five seconds again and again: who asks waits for the end of the hold."""
    ended = Event()

    def hold() -> None:
        while not ended.is_set():
            with sqlite_held(database):
                ended.wait(SLOW_S)
            ended.wait(0.1)

    holder = Thread(target=hold)
    holder.start()
    try:
        yield
    finally:
        ended.set()
        holder.join()


@contextmanager
def dashboard(url: str) -> Iterator[None]:
    """Ask for lists and stats again and again, as an open page does."""
    ended = Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            while not ended.wait(REPEATED_S):
                client.get("/v1/batches?limit=20")
                client.get("/v1/stats")

    page = Thread(target=ask)
    page.start()
    try:
        yield
    finally:
        ended.set()
        page.join()


def p99(client: httpx.Client) -> float:
    """Return the p99 of the seconds that registrations take, of a few clients at a time.

    One after the other they would take as many commit intervals: minutes of waiting over all rounds.
    """

    def seconds(_: int) -> float:
        started = time.perf_counter()
        answer = client.post("/v1/batches/register", json=seed_body(), headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.status_code == 202, answer.text
        return time.perf_counter() - started

    with ThreadPoolExecutor(CLIENTS) as clients:
        took = sorted(clients.map(seconds, range(EACH)))
    return took[int(len(took) * 0.99)]


def test_a_slow_database_does_not_change_the_p99_of_registrations(kafka: Kafka, tmp_path: Path) -> None:
    """A round compares both, one after the other; one quiet round is enough, because the machine has other work too.

    Registrations that wait for the database take seconds in every round.
    """
    prefix = f"slowdb-{uuid.uuid4().hex[:8]}"
    options = StackOptions(
        bootstrap_servers=kafka.bootstrap_servers,
        directory=tmp_path,
        apis=1,
        settings={
            "TOPIC_PREFIX": prefix,
            "ORCHESTRATOR_GROUP": prefix,
            "ROUTER_GROUP": f"{prefix}-router",
            "PROJECTOR_GROUP": f"{prefix}-projector",
            "PROJECTION_TIMEOUT_S": str(2 * SLOW_S),
        },
    )
    with Stack(options) as stack, httpx.Client(base_url=stack.api_urls[0], timeout=PATIENCE_S) as client:
        p99(client)
        await_that(lambda: client.get("/v1/batches").json().get("batches"), "the projection has batches")
        ratios: list[float] = []
        with dashboard(stack.api_urls[0]):
            while len(ratios) < ROUNDS and min(ratios, default=MOST + 1) > MOST:
                fast = p99(client)
                with slow(tmp_path / "projection.db"):
                    ratios.append(p99(client) / fast)
        assert min(ratios) <= MOST, ratios
        await_that(lambda: client.get("/v1/batches").json().get("stale", "") is None, "lists are current again")
