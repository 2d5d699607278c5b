"""What lists keep for a time without a database, and what they never answer from memory."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from api.asyncapi.story import tell
from api.errors import Problem
from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.snapshot_cache import SnapshotCache
from api.queries.lists import BatchLists
from schemas.errors import InvalidCursor, OrchestratorError, ProjectionError
from schemas.internal.status import FailedEssay, StatusRecord
from schemas.topics import TopicTable
from state.projection import BatchFilter, BatchPage, StatusCounts, Visibility
from tests.unit.api.memory import MemoryCluster, MemoryLog

pytestmark = pytest.mark.anyio
AS_OF_MS = 1_764_165_802_120
RECORD = tell(TopicTable()).running
GONE = ProjectionError("The projection database cannot be read.", next_step="Start it.")


class Database:
    """Both the projection and its reader: answers with one page, or fails."""

    def __init__(self) -> None:
        self.batches: tuple[StatusRecord, ...] = (RECORD,)
        self.error: OrchestratorError | None = None
        self.asked = 0

    async def read(self, query: Callable[[Any], Any]) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return query(self)

    def list(self, *_: object, **__: object) -> BatchPage:
        return BatchPage(self.batches, None)

    def open_letters(self, _: object) -> dict[str, int]:
        return {}

    def as_of(self) -> int:
        return AS_OF_MS

    def counts(self, _: object) -> StatusCounts:
        return StatusCounts(batches={"cancelled": 1}, phases={})

    def count(self, *_: object, most: int) -> int:
        return min(most, 1)

    def ids(self, *_: object, **__: object) -> tuple[tuple[str, ...], None]:
        return (RECORD.batch_id,), None

    def resolve(self, _: str) -> None:
        return None


class Asked:
    def __init__(self) -> None:
        self.database = Database()
        cluster = MemoryCluster()
        self.follower = KafkaLogFollower(lambda: MemoryLog(cluster), SnapshotCache(1_000_000))
        self.behind_s = 0.0
        self.lists = BatchLists(self.database, self.follower, behind_s=lambda: self.behind_s)  # type: ignore[arg-type]

    def banner(self) -> str | None:
        return self.lists.stale


@pytest.fixture
def asked() -> Asked:
    return Asked()


async def test_an_old_page_says_what_it_reflects(asked: Asked) -> None:
    assert (await asked.lists.page()).stale is None
    assert asked.banner() is None
    asked.database.error = GONE
    page = await asked.lists.page()
    assert page.batches == (RECORD,)
    assert page.stale == asked.banner()
    assert page.stale is not None
    assert page.stale.startswith("Lists are from 2025-11-26T14:03:22.120Z: the projection database cannot be read.")


async def test_nothing_is_asked_while_the_database_is_known_to_be_away(asked: Asked) -> None:
    await asked.lists.page()
    asked.follower.projection_error = str(GONE)
    assert (await asked.lists.page()).stale is not None
    assert asked.database.asked == 1
    asked.database.error = GONE
    with pytest.raises(Problem):
        await asked.lists.page(BatchFilter(ended=True))


async def test_a_page_is_kept_for_its_own_question_and_caller_alone(asked: Asked) -> None:
    await asked.lists.page(limit=10)
    asked.database.error = GONE
    own = Visibility(owner_subject="ann", owner_organisation="")
    for question in (
        asked.lists.page(limit=11),
        asked.lists.page(BatchFilter(held=True), limit=10),
        asked.lists.page(visibility=own, limit=10),
        asked.lists.page(cursor="next", limit=10),
        asked.lists.counts(),
    ):
        with pytest.raises(Problem) as refused:
            await question
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})


async def test_what_precedes_an_action_is_never_an_old_answer(asked: Asked) -> None:
    wanted = BatchFilter(held=True)
    assert await asked.lists.count(wanted, most=10) == 1
    assert await asked.lists.ids(wanted) == ((RECORD.batch_id,), None)
    asked.database.error = GONE
    for question in (asked.lists.count(wanted, most=10), asked.lists.ids(wanted), asked.lists.resolve("abcdef")):
        with pytest.raises(Problem):
            await question


async def test_a_wrong_cursor_is_no_sign_of_a_lost_database(asked: Asked) -> None:
    asked.database.error = InvalidCursor("'x' is no cursor.", next_step="Leave it out.")
    with pytest.raises(InvalidCursor):
        await asked.lists.page(cursor="x")
    assert asked.banner() is None


async def test_lists_that_are_behind_say_by_how_much(asked: Asked) -> None:
    asked.behind_s = 14.0
    assert asked.banner() is None
    asked.behind_s = 41.0
    assert (asked.banner() or "").startswith("Lists are 41 s behind")


async def test_what_is_kept_is_bounded(asked: Asked) -> None:
    essays = tuple(FailedEssay(str(number), "nlp", "failed") for number in range(5_000))  # type: ignore[arg-type]
    asked.database.batches = (replace(RECORD, failed_essays=essays),)
    for number in range(20):
        await asked.lists.page(limit=number + 1)
    asked.database.error = GONE
    kept = 0
    for number in range(20):
        try:
            await asked.lists.page(limit=number + 1)
        except Problem:
            continue
        kept += 1
    assert kept == 9, "50,000 essays and batches; the newest pages"
    assert (await asked.lists.page(limit=20)).stale is not None
