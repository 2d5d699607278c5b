"""A database that is locked or does not answer: nothing waits for it but who asks it, and that for a bounded time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing
from pathlib import Path

import pytest
from httpx import AsyncClient
from msgspec.structs import replace
from sqlalchemy import text

from api.kafka_log.kafka_log import LogPartition
from api.queries.projection import DatabaseProjection
from runtime.kafka.partitioner import partition_of
from schemas.internal.records import decode_status
from schemas.internal.status import StatusRecord
from schemas.topics import Topic
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import MemoryCluster, World, answers, until, world
from tests.unit.api.queries.databases import IDENTITY, StallingProxy, postgres_held, project, sqlite_held
from tests.unit.state.projection.postgres import PostgresServer, postgres_server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
REGISTER = "/v1/batches/register"
REGISTRATIONS = 20
NEVER_S = 600.0
"""A bound on reads so far off that a registration which waits for one does not end within its test."""
SHORT_S = 1.0
PATIENCE_S = 120.0
LONG, OTHER = 600, "a batch that changes often"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


class Database:
    """A database with the batches of `cluster`; `url` is the projector's, `api_url` the api's."""

    def __init__(self, url: str, api_url: str, hold: Callable[[], AbstractContextManager[None]]) -> None:
        self.url = url
        self.api_url = api_url
        self.hold = hold


@asynccontextmanager
async def _database(kind: str, request: pytest.FixtureRequest, directory: Path) -> AsyncIterator[Database]:
    if kind == "sqlite":
        file = directory / "projection.db"
        url = f"sqlite:///{file}"
        yield Database(url, url, lambda: sqlite_held(file))
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.new_database()
    if kind == "postgres locked":
        yield Database(url, url, lambda: postgres_held(url))
        return
    async with StallingProxy(url).running() as proxy:
        yield Database(url, proxy.url, proxy.stalled)


@pytest.fixture(params=["sqlite", "postgres locked", "postgres stalled"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with _database(request.param, request, tmp_path) as found:
        yield found


@asynccontextmanager
async def api_over(database: Database, cluster: MemoryCluster, timeout_s: float) -> AsyncIterator[World]:
    with closing(DatabaseProjection(database.api_url, lambda: IDENTITY, timeout_s=timeout_s)) as projection:
        async with world(cluster, database=projection, projection_timeout_s=timeout_s) as api:
            yield api


def snapshot_of(cluster: MemoryCluster, batch_id: str) -> StatusRecord:
    log = cluster.logs[LogPartition(Topic.STATUS, partition_of(batch_id.encode(), cluster.partitions))]
    return decode_status(next(record.value or b"" for record in log if record.key.decode() == batch_id))


async def register(client: AsyncClient, **headers: str) -> str:
    response = await client.post(REGISTER, json=seed_body(), headers=headers)
    assert response.status_code == 202, response.text
    return str(response.json()["batch_id"])


async def status_of(client: AsyncClient, batch_id: str) -> int:
    return (await client.get(f"/v1/batches/{batch_id}/status")).status_code


async def nothing_held(api: World) -> None:
    """Wait until the projection has passed every snapshot that was in memory."""

    async def passed() -> bool:
        return len(api.services.follower.snapshots) == 0

    await until(passed)


async def _polls_hang(api: World) -> None:
    """Wait until the poll is in the database, or has failed there."""

    async def hangs() -> bool:
        return api.services.follower.projection_error is not None

    await until(hangs)


def test_a_server_that_goes_on_with_a_read_ends_it_by_itself(postgres: PostgresServer) -> None:
    with (
        closing(DatabaseProjection(postgres.new_database(), lambda: IDENTITY, timeout_s=7)) as projection,
        projection._engine.connect() as connection,
    ):
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "7s"


async def test_a_registration_never_waits_for_the_database(database: Database) -> None:
    cluster = MemoryCluster()
    project(database.url, cluster)
    async with asyncio.timeout(PATIENCE_S), api_over(database, cluster, NEVER_S) as api:
        first = await register(api.client, **{"Idempotency-Key": "before"})
        project(database.url, cluster)
        await nothing_held(api)
        with database.hold():
            for number in range(REGISTRATIONS):
                await register(api.client, **{"Idempotency-Key": f"key-{number}"})
            assert await register(api.client, **{"Idempotency-Key": "before"}) == first, "only the database knows it"


async def test_a_status_is_answered_from_the_log_or_is_503_and_all_is_well_again_afterwards(database: Database) -> None:
    cluster = MemoryCluster()
    project(database.url, cluster)
    async with asyncio.timeout(PATIENCE_S), api_over(database, cluster, SHORT_S) as api:
        old = await register(api.client)
        project(database.url, cluster)
        await nothing_held(api)
        await answers(api.client, f"/v1/batches/{old}/status", 200)
        with database.hold():
            await _polls_hang(api)
            new = await register(api.client)
            asked = [new, old, "nope", *[f"nope-{number}" for number in range(20)]]
            found = await asyncio.gather(*(status_of(api.client, batch_id) for batch_id in asked))
            assert found == [200, *[503] * (len(asked) - 1)]
            assert "not answered" in (await api.client.get("/healthz")).text or database.url.startswith("sqlite")
            assert (await api.client.get("/readyz")).status_code == 200
        project(database.url, cluster)
        for path, status in {old: 200, new: 200, "nope": 404}.items():
            await answers(api.client, f"/v1/batches/{path}/status", status)
        await answers(api.client, "/healthz", 200)


async def test_a_start_without_the_database_takes_registrations_and_tells_what_it_cannot_know(
    database: Database,
) -> None:
    cluster = MemoryCluster(partitions=1)
    project(database.url, cluster)
    async with api_over(database, cluster, PATIENCE_S) as before:
        old = await register(before.client)
        record = snapshot_of(cluster, old)
        for version in range(LONG):  # so that the start is not near enough to the end to come past it
            cluster.publish(replace(record, batch_id=OTHER, version=version))
    project(database.url, cluster)
    with closing(DatabaseProjection(database.url, lambda: IDENTITY, timeout_s=PATIENCE_S)) as keeps_its_files:
        keeps_its_files.offsets()
        async with asyncio.timeout(PATIENCE_S):
            with database.hold():
                starting = api_over(database, cluster, SHORT_S)
                api = await starting.__aenter__()
                new = await register(api.client)
                found = [await status_of(api.client, batch_id) for batch_id in (new, old, "nope")]
                assert found == [200, 503, 503]
                assert api.services.follower.started_without_projection
            assert await status_of(api.client, new) == 200
            project(database.url, cluster)
            for path, status in {old: 200, new: 200, "nope": 404}.items():
                await answers(api.client, f"/v1/batches/{path}/status", status)
            await starting.__aexit__(None, None, None)
