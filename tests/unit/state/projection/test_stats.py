"""Numbers over all batches: what runs, how fast it drains, how long it usually takes, what is due."""

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine

from schemas.internal.enums import BatchStatus, DeadlineKind, PhaseReason, PhaseStatus
from schemas.internal.history import NO_VERSION
from schemas.internal.status import Deadline, PhaseView
from state.projection import EVERYTHING, Due, Reader, Visibility, Writer
from tests.unit.state.projection.log import T0, Log, batch_id, history, status

MINUTE_MS = 60_000
NOW = T0 // MINUTE_MS * MINUTE_MS + 60 * MINUTE_MS
RUNS = PhaseView(status=PhaseStatus.DISPATCH_INITIATED, attempt=1, commanded=10, succeeded=2, failed=1)
ANNS = Visibility(owner_subject="ann", owner_organisation="school")


def ran(
    took_ms: int,
    end_ms: int,
    status: PhaseStatus = PhaseStatus.COMPLETED_SUCCESSFULLY,
    *,
    succeeded: int = 10,
    failed: int = 0,
    unaccounted: int = 0,
) -> PhaseView:
    return PhaseView(
        status=status,
        attempt=1,
        commanded=10,
        succeeded=succeeded,
        failed=failed,
        unaccounted=unaccounted,
        started_ms=end_ms - took_ms,
        completed_ms=end_ms,
    )


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def reader(engine: Engine, writer: Writer) -> Reader:
    return Reader(engine, clock_ms=lambda: NOW)


def test_an_empty_projection_has_no_numbers(reader: Reader) -> None:
    stats = reader.stats(NOW)
    assert (stats.live, stats.phases, stats.dispositions, stats.as_of_ms) == (0, (), {}, 0)
    assert stats.registered == stats.ended == (0,) * 60
    assert reader.as_of() == 0


def test_phases_tell_what_is_in_flight_and_since_when(log: Log, writer: Writer, reader: Reader) -> None:
    early, late = replace(RUNS, started_ms=NOW - 9_000), replace(RUNS, started_ms=NOW - 5_000, succeeded=0, failed=0)
    ended = ran(1_000, NOW)
    batches = [
        status(1, 1, phases={"spellcheck": late}),
        status(2, 2, phases={"spellcheck": early}, owner_subject="ann", owner_organisation="school"),
        status(3, 3, phases={"spellcheck": ended, "cj": late}),
    ]
    writer.apply(log.write_all(*batches))
    cj, spellcheck = reader.stats(NOW).phases
    assert (spellcheck.phase, spellcheck.batches, spellcheck.essays) == ("spellcheck", 2, 17)
    assert (cj.phase, cj.batches, cj.essays) == ("cj", 1, 10)
    assert spellcheck.oldest_start_ms == NOW - 9_000
    (anns,) = reader.stats(NOW, ANNS).phases
    assert (anns.batches, anns.essays, anns.oldest_start_ms) == (1, 7, NOW - 9_000)


def test_a_phase_that_has_ended_is_no_longer_in_flight(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply([log.write(status(1, 1, phases={"spellcheck": replace(RUNS, started_ms=NOW - 9_000)}))])
    writer.apply([log.write(status(1, 2, phases={"spellcheck": ran(1_000, NOW)}))])
    (phase,) = reader.stats(NOW).phases
    assert (phase.batches, phase.essays, phase.oldest_start_ms, phase.eta_ms) == (0, 0, None, None)


def test_minutes_tell_what_drained_and_when_the_rest_will_have(log: Log, writer: Writer, reader: Reader) -> None:
    ends = [NOW - minutes * MINUTE_MS for minutes in (0, 1, 2, 59, 60, 3_000)]
    batches = [status(n, n, phases={"nlp": ran(500, end)}) for n, end in enumerate(ends)]
    runs = {"nlp": replace(RUNS, commanded=40, succeeded=0, failed=0, started_ms=NOW)}
    lossy = status(9, 9, phases={"nlp": ran(500, NOW - 5, PhaseStatus.FAILED, succeeded=4, failed=5, unaccounted=1)})
    writer.apply(log.write_all(*batches, status(8, 8, phases=runs), lossy))
    (phase,) = reader.stats(NOW).phases
    assert (phase.drained[0], phase.drained[-3], phase.drained[-2], phase.drained[-1]) == (10, 10, 20, 10)
    assert sum(phase.drained) == 50
    assert phase.failed_last_hour == 6
    assert phase.drain_per_minute == 6.0
    assert phase.eta_ms == NOW + 400_000


def test_minutes_tell_what_was_registered_and_what_ended(log: Log, writer: Writer, reader: Reader) -> None:
    done = {"status": BatchStatus.CANCELLED, "registered_ms": NOW - MINUTE_MS, "ended_ms": NOW}
    writer.apply(log.write_all(status(1, 1, registered_ms=NOW - MINUTE_MS), replace(status(2, 2), **done)))
    writer.apply([log.write(replace(status(2, 3), **done))])
    stats = reader.stats(NOW)
    assert (stats.registered[-2:], stats.ended[-2:]) == ((2, 0), (0, 1))
    assert (stats.live, stats.counts.batches["cancelled"]) == (1, 1)
    assert reader.stats(NOW, ANNS).registered == (0,) * 60


def test_dispositions_of_the_last_hour_are_those_of_every_record_once(log: Log, writer: Writer, reader: Reader) -> None:
    at = {"time_ms": NOW - 30 * MINUTE_MS}
    records = [history(1, 5, 5, NO_VERSION, **at), history(1, 6, 5, 5, **at), history(1, 7, 5, 5, **at)]
    old = history(1, 4, 4, NO_VERSION, time_ms=NOW - 61 * MINUTE_MS)
    written = log.write_all(*records, old)
    writer.apply(written)
    writer.apply([*written, log.write(records[0])])
    assert reader.stats(NOW).dispositions == {"applied": 1, "stale": 2}
    assert reader.stats(NOW, ANNS).dispositions == {}


@pytest.mark.parametrize("took_ms", [1, 37, 4_000, 180_000, 86_400_000])
def test_what_is_usual_is_right_to_a_tenth(took_ms: int, log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply([log.write(status(n, n, phases={"nlp": ran(took_ms, NOW + n)})) for n in range(1, 5)])
    usual = reader.usuals()["nlp"]
    assert usual.samples == 4
    assert usual.p50_ms == pytest.approx(took_ms, rel=0.1, abs=1)
    assert usual.p95_ms == pytest.approx(took_ms, rel=0.1, abs=1)
    assert reader.stats(NOW).phases[0].usual == usual


def test_what_is_usual_is_that_of_runs_that_succeeded(log: Log, writer: Writer, reader: Reader) -> None:
    times = [ran(1_000 * n, NOW) for n in range(1, 101)]
    deadline = ran(86_400_000, NOW, PhaseStatus.FAILED, succeeded=0, failed=10)
    batches = [status(n, n, phases={"nlp": view}) for n, view in enumerate([*times, deadline])]
    writer.apply(log.write_all(*batches))
    usual = reader.usuals()["nlp"]
    assert usual.samples == 100
    assert usual.p50_ms == pytest.approx(50_000, rel=0.1)
    assert usual.p95_ms == pytest.approx(95_000, rel=0.1)
    assert "another" not in reader.usuals()


def test_a_run_that_is_retried_counts_as_it_ends(log: Log, writer: Writer, reader: Reader) -> None:
    writer.apply([log.write(status(1, 1, phases={"nlp": ran(1_000, NOW)}))])
    writer.apply([log.write(status(1, 2, phases={"nlp": replace(RUNS, started_ms=NOW)}))])
    assert "nlp" not in reader.usuals()
    writer.apply([log.write(status(1, 3, phases={"nlp": ran(64_000, NOW + 64_000)}))])
    assert reader.usuals()["nlp"].p50_ms == pytest.approx(64_000, rel=0.1)


def test_deadlines_that_end_something_are_shown_the_earliest_first(log: Log, writer: Writer, reader: Reader) -> None:
    def clocks(*due: int) -> tuple[Deadline, ...]:
        soft = Deadline(NOW - 10, DeadlineKind.STALLED, "nlp", 1)
        return (soft, *(Deadline(NOW + each, DeadlineKind.PHASE, "nlp", 1) for each in due))

    batches = [status(n, n, deadlines=clocks(n - 2, 99)) for n in range(9)]
    writer.apply(log.write_all(*batches, status(10, 10, deadlines=clocks())))
    stats = reader.stats(NOW)
    assert stats.overdue == tuple(
        Due(batch_id=batch_id(n), due_ms=NOW + n - 2, kind=DeadlineKind.PHASE, phase="nlp") for n in (0, 1)
    )
    assert [due.batch_id for due in stats.next_deadlines] == [batch_id(n) for n in range(2, 7)]
    assert reader.stats(NOW, ANNS).next_deadlines == ()


def test_missed_deadlines_are_those_of_batches_that_go_on(log: Log, writer: Writer, reader: Reader) -> None:
    view = ran(1_000, NOW, PhaseStatus.FAILED, succeeded=0, failed=10)
    missed = {"nlp": replace(view, reason=PhaseReason.DEADLINE_MISSED)}
    writer.apply(log.write_all(status(1, 1, phases=missed), status(2, 2, phases=missed, ended_ms=NOW)))
    stats = reader.stats(NOW)
    assert (stats.missed, stats.counts.reasons) == (1, {"deadline_missed": 1})


def test_the_projection_is_as_of_the_newest_record(log: Log, writer: Writer, reader: Reader) -> None:
    older, newer = log.write_all(status(1, 1), status(1, 2))
    writer.apply([newer])
    writer.apply([older])
    assert reader.as_of() == newer.time_ms == reader.stats(NOW).as_of_ms


def test_a_failure_needs_a_person_for_a_day(log: Log, writer: Writer, engine: Engine) -> None:
    record = status(1, 1, BatchStatus.FAILED_CRITICALLY, ended_ms=NOW)
    writer.apply([log.write(record)])
    for now_ms, expected in ((NOW, 1), (NOW + 86_399_999, 1), (NOW + 86_400_000, 0)):
        assert Reader(engine, clock_ms=lambda now_ms=now_ms: now_ms).counts().attention == expected  # type: ignore[misc]
    writer.prune(NOW + 86_400_000)
    assert Reader(engine, clock_ms=lambda: NOW).counts(EVERYTHING).attention == 0
