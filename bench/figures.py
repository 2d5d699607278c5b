"""The figures of a run, flat: one name and one number each, for a file, for the aims and for comparisons."""

from collections.abc import Iterator
from typing import NamedTuple

from bench.alone import SELF
from bench.measuring import Cost
from bench.results import Results
from bench.whole import PROCESSES

Figures = dict[str, float]
"""Numbers by their names."""


class Figure(NamedTuple):
    """One number of a run."""

    name: str
    value: float
    holds: bool = False
    """Whether it should hold between runs on one kind of host: a ratio of values that were measured in turns, or an
    amount such as bytes. Times and rates drift with a shared host."""


def figures(results: Results) -> Iterator[Figure]:
    """Yield the figures of all sections that were run."""
    for section in (_core, _alone, _whole, _latency, _registration, _streams):
        yield from section(results)
    for section in (_deadlines, _projection):
        yield from section(results)


def _core(results: Results) -> Iterator[Figure]:
    if (core := results.core) is not None:
        yield Figure("core.decision_us", core.together)
        for shape, steps in core.routes.items():
            yield Figure(f"core.route_{shape}_us", sum(steps.values()) / len(steps))
    for kind, size in (results.sizes or {}).items():
        yield Figure(f"bytes.{kind}", size, holds=True)


def _alone(results: Results) -> Iterator[Figure]:
    if (alone := results.alone) is None:
        return
    for path, cost in alone.orchestrators.items():
        name = f"orchestrator.{path}" if path else "orchestrator"
        yield from _cost(name, cost)
        yield Figure(f"{name}.of_bare_loop", alone.bare_loop.cpu_us[SELF] / cost.cpu_us[SELF], holds=True)
    if "" not in alone.orchestrators:
        yield from _cost("orchestrator", alone.orchestrator)
        ratio = alone.bare_loop.cpu_us[SELF] / alone.orchestrator.cpu_us[SELF]
        yield Figure("orchestrator.of_bare_loop", ratio, holds=True)
    yield from _cost("bare_loop", alone.bare_loop)
    for shape, cost in alone.routers.items():
        yield from _cost(f"router.{shape}", cost)
    share = alone.routers["seed"].cpu_us[SELF] / alone.orchestrator.cpu_us[SELF]
    yield Figure("router.of_orchestrator", share, holds=True)


def _cost(name: str, cost: Cost) -> Iterator[Figure]:
    yield Figure(f"{name}.per_second", cost.per_second)
    yield Figure(f"{name}.cpu_us", cost.cpu_us[SELF])
    if "broker" in cost.cpu_us:
        yield Figure(f"{name}.broker_us", cost.cpu_us["broker"])


def _whole(results: Results) -> Iterator[Figure]:
    if (whole := results.whole) is None:
        return
    yield Figure("whole.per_second", whole.per_second)
    for name in (*PROCESSES, "broker"):
        if name in whole.cpu_us:
            yield Figure(f"whole.{name}.cpu_us", whole.cpu_us[name])


def _latency(results: Results) -> Iterator[Figure]:
    if (latency := results.latency) is not None:
        yield Figure("latency.half.p99_ms", latency.p99 * 1_000)


def _registration(results: Results) -> Iterator[Figure]:
    for name, found in (("steady", results.registration), ("limit", results.registration_limit)):
        if found is not None:
            yield Figure(f"registration.{name}.per_second", found.per_second)
            yield Figure(f"registration.{name}.p50_ms", found.p50 * 1_000)
            yield Figure(f"registration.{name}.p99_ms", found.p99 * 1_000)
            refused = sum(count for status, count in found.statuses.items() if status != 202)
            yield Figure(f"registration.{name}.refused", refused)


def _streams(results: Results) -> Iterator[Figure]:
    if (streams := results.streams) is not None:
        yield Figure("live.idle_cores", streams.idle_cores)
        yield Figure("live.idle_mib", streams.idle_mib)
        yield Figure("live.per_second", streams.decisions_per_second)
        yield Figure("live.one_batch_p99_ms", streams.one_batch_p99 * 1_000)
        yield Figure("live.everything_p99_ms", streams.everything_p99 * 1_000)
        yield Figure("live.loaded_cores", streams.loaded_cores)


def _deadlines(results: Results) -> Iterator[Figure]:
    if (found := results.deadlines) is not None:
        yield Figure("deadlines.first_start_s", found.first_start_s)
        yield Figure("deadlines.next_start_s", found.next_start_s)
        yield Figure("deadlines.fired_s", found.fired_s)
        yield Figure("deadlines.assignments", found.assignments)


def _projection(results: Results) -> Iterator[Figure]:
    if (found := results.projection) is not None:
        yield Figure("projection.slowest_read_p99_ms", max(read.p99 for read in found.reads) * 1_000)
        yield Figure("projection.decision_us", found.decision_cpu_us)
        yield Figure("projection.full_decision_us", found.full_decision_cpu_us)
        yield Figure("projection.decision_bytes", found.decision_bytes, holds=True)
        yield Figure("projection.bytes_per_batch", found.bytes_per_batch, holds=True)
    if (rebuilt := results.rebuild) is not None:
        yield Figure("rebuild.rebuilt_s", rebuilt.rebuilt_s)
        yield Figure("rebuild.differences", rebuilt.differences)
