"""The wait before an automatic attempt: doubled with each attempt, jittered by a factor that is derived."""

from msgspec.structs import replace

from schemas.internal.pipeline import PhaseDefinition
from state.decision.retries import backoff_ms
from tests.unit.state.story import started

WORK = PhaseDefinition(name="work", max_attempts=5, echoes_attempt=True, retry_backoff_s=10)
BASE_MS = 10_000
MANY = 500


def draws() -> list[int]:
    """The first waits of many batches."""
    batch = started().batch
    return [backoff_ms(replace(batch, batch_id=f"batch-{number}"), WORK, 1, 1) for number in range(MANY)]


def test_the_wait_is_at_least_four_fifths_of_the_backoff_and_below_six_fifths() -> None:
    assert all(BASE_MS * 8 // 10 <= wait < BASE_MS * 12 // 10 for wait in draws())


def test_the_factor_covers_its_range() -> None:
    waits = draws()
    assert min(waits) < BASE_MS * 0.82
    assert max(waits) > BASE_MS * 1.18
    assert BASE_MS * 0.98 < sum(waits) / MANY < BASE_MS * 1.02


def test_the_wait_doubles_with_each_attempt_that_counts() -> None:
    batch = started().batch
    for counted in range(1, 6):
        wait = backoff_ms(batch, WORK, counted, counted)
        assert BASE_MS * 2 ** (counted - 1) * 0.8 <= wait < BASE_MS * 2 ** (counted - 1) * 1.2


def test_the_same_attempt_has_the_same_wait_and_every_other_fact_another() -> None:
    batch = started().batch
    wait = backoff_ms(batch, WORK, 1, 1)
    assert backoff_ms(batch, WORK, 1, 1) == wait
    others = {
        backoff_ms(replace(batch, batch_id="other"), WORK, 1, 1),
        backoff_ms(replace(batch, registered_version=1), WORK, 1, 1),
        backoff_ms(batch, replace(WORK, name="other"), 1, 1),
        backoff_ms(batch, WORK, 2, 1),
    }
    assert len(others) == 4
    assert wait not in others
