"""The figures of a run, flat: one name and one number each, for a file, for the aims and for comparisons."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from bench.alone import SELF
from bench.measuring import Cost
from bench.pipelines import BARE, PRODUCT
from bench.results import Results
from bench.scaling import orchestrators_us
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
    for section in (_scaling, _million, _deadlines, _projection, _soak):
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
        yield Figure(f"{name}.of_bare_loop", alone.of_bare_loop(path), holds=True)
    if "" not in alone.orchestrators:
        yield from _cost("orchestrator", alone.orchestrator)
        yield Figure("orchestrator.of_bare_loop", alone.of_bare_loop(alone.default_path), holds=True)
    yield from _cost("bare_loop", alone.bare_loop)
    for shape, cost in alone.routers.items():
        yield from _cost(f"router.{shape}", cost)
    yield Figure("router.of_orchestrator", alone.router_of_orchestrator, holds=True)


def _cost(name: str, cost: Cost) -> Iterator[Figure]:
    yield Figure(f"{name}.per_second", cost.per_second)
    yield Figure(f"{name}.cpu_us", cost.cpu_us[SELF])
    if "broker" in cost.cpu_us:
        yield Figure(f"{name}.broker_us", cost.cpu_us["broker"])


def _whole(results: Results) -> Iterator[Figure]:
    if (whole := results.whole) is None:
        return
    yield Figure("whole.per_second", whole.cost.per_second)
    for name in (*PROCESSES, "broker"):
        if name in whole.cost.cpu_us:
            yield Figure(f"whole.{name}.cpu_us", whole.cost.cpu_us[name])
    for name, kb in whole.kb.items():
        yield Figure(f"whole.kb.{name}", kb)
    total = sum(whole.kb.values())
    yield Figure("whole.kb.total", total, holds=True)
    if whole.inputs_kb is not None:
        yield Figure("whole.kb_inputs", whole.inputs_kb)
        yield Figure("whole.kb_without_inputs", total - whole.inputs_kb, holds=True)


def _latency(results: Results) -> Iterator[Figure]:
    for rate, pipelines in (results.latency or {}).items():
        product, bare = pipelines[PRODUCT], pipelines[BARE]
        for name, found in ((f"latency.{rate:.0f}", product), (f"latency.{rate:.0f}.{BARE}", bare)):
            yield Figure(f"{name}.p50_ms", found.p50 * 1_000)
            yield Figure(f"{name}.p99_ms", found.p99 * 1_000)
            yield Figure(f"{name}.unanswered", found.unanswered)
        of_bare = median(ours / theirs for ours, theirs in zip(product.p99s, bare.p99s, strict=True))
        yield Figure(f"latency.{rate:.0f}.of_bare_loop", of_bare, holds=True)
        if product.visible is not None:
            yield Figure(f"visible.{rate:.0f}.p50_ms", product.visible.p50 * 1_000)
            yield Figure(f"visible.{rate:.0f}.p99_ms", product.visible.p99 * 1_000)
            yield Figure(f"visible.{rate:.0f}.unseen", product.visible.unseen)


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


def _scaling(results: Results) -> Iterator[Figure]:
    if (found := results.scaling) is None:
        return
    for count, cost in found.costs.items():
        yield Figure(f"scaling.{count}.per_second", cost.per_second)
        yield Figure(f"scaling.{count}.cpu_us", orchestrators_us(cost))
        if count > 1:
            yield Figure(f"scaling.{count}.cost_of_one", found.cost_of_one(count), holds=True)
    yield Figure("scaling.steady_pause_s", found.steady_pause_s)
    yield Figure("scaling.join_pause_s", found.join_pause_s)
    yield Figure("scaling.leave_pause_s", found.leave_pause_s)


def _million(results: Results) -> Iterator[Figure]:
    if (found := results.million) is not None:
        yield Figure("million.batches", found.many)
        yield Figure("million.few_batches", found.few)
        yield Figure("million.registered_per_second", found.registered_per_second)
        yield Figure("million.start_kept_s", found.start_kept_s)
        yield Figure("million.start_lost_s", found.start_lost_s)
        yield Figure("million.restored_per_s", found.many / found.start_lost_s)
        yield Figure("million.many_us", found.many_us)
        yield Figure("million.few_us", found.few_us)
        yield Figure("million.of_few", found.of_few, holds=True)
        yield Figure("million.rss_mb", found.rss_mb)
        yield Figure("million.store_mb", found.store_mb)


def _soak(results: Results) -> Iterator[Figure]:
    if (found := results.soak) is not None:
        growth = found.growth()
        for name, grown in growth.items():
            yield Figure(f"soak.growth.{name.replace(' ', '_')}", grown)
        memory = [grown for name, grown in growth.items() if "memory" in name and "load generator" not in name]
        if memory:
            yield Figure("soak.memory_growth", max(memory))


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
