"""What the product's own code costs for each event, by part, without Kafka: the decision core and the router.

Times are CPU times of the round that took least, because a shared host only ever adds to them. Batches interleave as in
the other sections, so code and data are as warm as in the processes. Reading the clock costs some tenths of a
microsecond, so small parts look dearer than they are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import mean
from time import thread_time_ns

from rich.table import Table

from bench.events import STEPS, Input, inputs
from bench.wire import Shape
from runtime.settings import Settings
from schemas.ids import kept_slot_ids
from schemas.inbound.transform import RecordTransform
from schemas.internal.events import Event
from schemas.internal.outgoing import OutgoingRecord
from schemas.internal.records import decode_inbox
from state.codec import decode_batch
from state.decision.decide import decide
from topology.orchestrator.outbox import DESTINATIONS, Outbox, Written
from topology.router.transform import registration_policy

PARTS = ("decode the event", "decode the batch", "decide", "render and encode", "measure sizes")
TOGETHER = "together, without clocks in between"
SHAPES: tuple[Shape, ...] = ("seed", "head")
BATCHES = 512
_TIME_MS = 1_764_000_000_000
_US = 1_000

ByStep = dict[str, float]
"""Microseconds for each event, by its step in the batch."""


@dataclass(frozen=True, slots=True)
class CoreResult:
    """Microseconds for each event."""

    parts: dict[str, ByStep]
    """Of a decision, by part."""
    together: float
    """Of a decision with all its parts, the mean over all events."""
    routes: dict[Shape, ByStep]
    """Of the router's transform, by the era's shape of its inputs."""


class Core:
    """Decides and routes a prepared load, round by round."""

    def __init__(self, settings: Settings, *, essays: int, batches: int = BATCHES) -> None:
        topics, limits = settings.topics(), settings.limits()
        self._transform = RecordTransform(registration_policy(settings), limits)
        self.outbox = Outbox(topics, dict.fromkeys(DESTINATIONS, limits.state_bytes), limits.state_bytes)
        self._inputs = {shape: list(inputs(settings, shape, batches=batches, essays=essays)) for shape in SHAPES}
        self.inbox = [(event, self._route(event)) for event in self._inputs["seed"]]

    def run(self, rounds: int) -> CoreResult:
        """Measure. Every decision must change its batch, or the numbers mean nothing."""
        decided = [self._decide_by_part() for _ in range(rounds)]
        routed = {shape: [self._route_all(shape) for _ in range(rounds)] for shape in SHAPES}
        return CoreResult(
            parts={part: _least(found[part] for found in decided) for part in PARTS},
            together=min(self._decide_all() for _ in range(rounds)),
            routes={shape: _least(found) for shape, found in routed.items()},
        )

    def _decide_by_part(self) -> dict[str, ByStep]:
        """Return the mean time of each part in one round."""
        spent = {part: dict.fromkeys(STEPS, 0) for part in PARTS}
        for given, _, _, times in self.decisions(thread_time_ns):
            for part, start, end in zip(PARTS, times, times[1:], strict=False):
                spent[part][given.step] += end - start
        return {part: self._means(by_step) for part, by_step in spent.items()}

    def _decide_all(self) -> float:
        start = thread_time_ns()
        for _ in self.decisions():
            pass
        return (thread_time_ns() - start) / len(self.inbox) / _US

    def decisions(
        self, clock: Callable[[], int] = lambda: 0
    ) -> Iterator[tuple[Input, OutgoingRecord, Written, tuple[int, ...]]]:
        """Decide every event, and yield it, its inbox record, what was written, and the times around the parts.

        No slot ids are kept from the round before: a registration derives them.
        """
        kept_slot_ids.cache_clear()
        states: dict[bytes, bytes] = {}
        for given, outgoing in self.inbox:
            times = [clock()]
            record = decode_inbox(outgoing.value or b"")
            times.append(clock())
            stored = states.get(outgoing.key)
            before = None if stored is None else decode_batch(stored)
            times.append(clock())
            event = Event(
                batch_id=record.batch_id,
                origin=record.origin,
                body=record.body,
                version=given.at.offset,
                time_ms=_TIME_MS,
                partition=given.at.partition,
                offset=given.at.offset,
            )
            decision = decide(before, event)
            times.append(clock())
            written = self.outbox.write(before, event, decision)
            times.append(clock())
            oversize = self.outbox.oversize(written)
            times.append(clock())
            assert written.state is not None
            assert oversize is None
            states[outgoing.key] = written.state
            yield given, outgoing, written, tuple(times)

    def _route_all(self, shape: Shape) -> ByStep:
        """Return the mean time of the router's transform in one round."""
        spent = dict.fromkeys(STEPS, 0)
        for event in self._inputs[shape]:
            start = thread_time_ns()
            self._route(event)
            spent[event.step] += thread_time_ns() - start
        return self._means(spent)

    def _route(self, event: Input) -> OutgoingRecord:
        return self._transform.apply(event.topic, event.at, None, event.value, {})

    def _means(self, spent: dict[str, int]) -> ByStep:
        each = len(self.inbox) / len(STEPS)
        return {step: total / each / _US for step, total in spent.items()}


def _least(rounds: Iterator[ByStep] | list[ByStep]) -> ByStep:
    found = list(rounds)
    return {step: min(times[step] for times in found) for step in STEPS}


def core_table(result: CoreResult) -> Table:
    """Return the table of the section."""
    table = Table(title="The product's own code, microseconds for each event")
    table.add_column("part")
    for heading in (*STEPS, "mean"):
        table.add_column(heading, justify="right")
    for part, times in result.parts.items():
        table.add_row(part, *_cells(times))
    table.add_row(TOGETHER, *("" for _ in STEPS), f"{result.together:.1f}", end_section=True)
    for shape, times in result.routes.items():
        table.add_row(f"router's transform, {shape} shapes", *_cells(times))
    return table


def _cells(times: ByStep) -> list[str]:
    return [f"{us:.1f}" for us in (*times.values(), mean(times.values()))]
