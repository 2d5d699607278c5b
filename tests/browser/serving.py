"""Serving the real application on loopback, over a cluster in memory and a real projection."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from uvicorn import Config, Server

from runtime.addresses import listen
from state.projection import LetterFilter, StoredLetter
from tests.browser.clock import standing_clock
from tests.browser.processes import processes
from tests.browser.seed import SeededCluster
from tests.browser.stories import PIPELINES_FILE
from tests.patience import PATIENCE_S
from tests.unit.api.memory import World, world

_REPORT_EVERY_S = 20.0


class Site:
    """A running dashboard."""

    def __init__(self, cluster: SeededCluster, url: str) -> None:
        self.cluster = cluster
        self.url = url

    def batch(self, life: str) -> str:
        """Return the id of the first batch that lived such a life."""
        return next(story.batch_id for story in self.cluster.stories if story.life == life)

    def version(self, life: str, place: int) -> int:
        """Return the version of an event, by its place in the life of the first batch that lived so."""
        story = next(story for story in self.cluster.stories if story.life == life)
        return story.events[place].version

    def letter(self, state: str = "open", code: str = "") -> StoredLetter:
        """Return the newest dead letter in this state, with this code."""
        filters = LetterFilter(state=state, code=code or None)
        with closing(self.cluster.projection()) as projection:
            return projection.letters(lambda reader: reader.dead_letters(filters)).letters[0]


@contextmanager
def serving(directory: Path, *, filled: bool = True) -> Iterator[Site]:
    """Serve a dashboard in a thread; with `filled`, of a product that has a history."""
    cluster = SeededCluster(directory / "projection.db")
    pipelines = directory / "pipelines.toml"
    pipelines.write_text(PIPELINES_FILE)
    if filled:
        cluster.fill()
    with listen("127.0.0.1", 0) as listener:
        started, stop, failures = threading.Event(), asyncio.Event(), list[BaseException]()
        loop = asyncio.new_event_loop()

        def run() -> None:
            try:
                loop.run_until_complete(_serve(cluster, pipelines, listener, started, stop))
            except BaseException as error:  # noqa: BLE001 - shown by the thread that waits
                failures.append(error)
            finally:
                started.set()
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()

        thread = threading.Thread(target=run, name="site", daemon=True)
        thread.start()
        try:
            assert started.wait(PATIENCE_S), "the dashboard does not start"
            if failures:
                raise failures[0]
            yield Site(cluster, f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(PATIENCE_S)


async def _serve(
    cluster: SeededCluster, pipelines: Path, listener: socket.socket, started: threading.Event, stop: asyncio.Event
) -> None:
    database = cluster.projection()
    async with world(cluster, database=database, processes=(), pipelines_file=pipelines) as running:
        with standing_clock(running.app):
            await _run(running, listener, started, stop)
    database.close()


async def _run(running: World, listener: socket.socket, started: threading.Event, stop: asyncio.Event) -> None:
    running.tell(*processes())
    config = Config(running.app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = Server(config)
    serve = asyncio.create_task(server.serve(sockets=[listener]))
    reports = asyncio.create_task(_report(running))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    started.set()
    await stop.wait()
    reports.cancel()
    server.should_exit = True
    await serve


async def _report(running: World) -> None:
    """Let the processes go on reporting, so that none is missing on a slow machine."""
    while True:
        await asyncio.sleep(_REPORT_EVERY_S)
        running.tell(*processes())
