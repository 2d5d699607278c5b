"""Measures orchestrators that share a load: what more of them bring, and how long a rebalance stops a partition."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.alone import ORCHESTRATOR
from bench.events import inputs
from bench.load import fill_inbox, paced_inbox
from bench.measuring import Cost, measure_to_end
from bench.sampler import Sampler
from bench.workplace import GroupOffsets, Workplace, restored
from cli.broker import Kafka
from cli.supervision.owned_process import OwnedProcess
from cli.supervision.ports import free_port
from runtime.settings import Settings

COUNTS = (1, 2, 4)
RATE = 500.0
"""Events a second on the inbox while a rebalance is measured."""
_AROUND_S = 4.0
"""Seconds before and after a change of the group that belong to it."""
_LOOK_S = 0.02
_JOIN_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingResult:
    """What was found. Pauses are in seconds: the longest time for which a partition's offset was not committed."""

    rounds: Sequence[Mapping[int, Cost]]
    """Cost of a decision by number of orchestrators, round by round; CPU is that of all of them together."""
    steady_pause_s: float
    """With one orchestrator and no change: what commits and the look at them alone make."""
    join_pause_s: float
    """While a second one joins."""
    leave_pause_s: float
    """While it leaves, told to stop."""

    @property
    def costs(self) -> dict[int, Cost]:
        """The medians over the rounds, by number of orchestrators."""
        return {count: Cost.middle([costs[count] for costs in self.rounds]) for count in COUNTS}

    def cost_of_one(self, count: int) -> float:
        """Return the CPU of a decision with `count` orchestrators, of that with one: the lowest of each."""
        many, one = (min(orchestrators_us(costs[each]) for costs in self.rounds) for each in (count, 1))
        return many / one


def orchestrators_us(cost: Cost) -> float:
    """Return the CPU of a decision in all orchestrators together, in microseconds."""
    return sum(us for name, us in cost.cpu_us.items() if name != "broker")


class Look(NamedTuple):
    """Committed offsets at one time."""

    at_s: float
    offsets: Mapping[int, int]


class Scaling:
    """Measures orchestrators on one cluster."""

    def __init__(self, kafka: Kafka, directory: Path, name: str, report: Callable[[str], None]) -> None:
        self._kafka = kafka
        self._directory = directory
        self._name = name
        self._report = report

    def run(self, batches: int, *, rounds: int, essays: int) -> ScalingResult:
        """Let one, two and four orchestrators decide the events of `batches` batches, `rounds` times in turns.

        Then let one join and leave.
        """
        costs = [{count: self._shared(number, count, batches, essays) for count in COUNTS} for number in range(rounds)]
        steady, join, leave = self._rebalances(essays)
        self._report(f"longest pause of a partition: {steady:.2f} s, joining {join:.2f} s, leaving {leave:.2f} s")
        return ScalingResult(rounds=costs, steady_pause_s=steady, join_pause_s=join, leave_pause_s=leave)

    def _shared(self, number: int, count: int, batches: int, essays: int) -> Cost:
        with ExitStack() as stack:
            members = _Members(self._kafka, self._directory, f"{self._name}-scaled-{number}-{count}", stack)
            for _ in range(count):
                members.start()
            members.await_restored()
            done = stack.enter_context(closing(GroupOffsets(members.settings)))
            laid = fill_inbox(members.settings, batches=batches, essays=essays, at_once=True)
            pids = {**members.pids(), **members.workplace.broker_pids()}
            cost = measure_to_end(done, laid.records, pids, check=members.check)
        self._report(f"{count} orchestrators: {cost.per_second:.0f} decisions/s, {orchestrators_us(cost):.0f} us each")
        shutil.rmtree(members.workplace.directory, ignore_errors=True)
        return cost

    def _rebalances(self, essays: int) -> tuple[float, float, float]:
        """Return the longest pauses with no change, while an orchestrator joins, and while it leaves."""
        with ExitStack() as stack:
            members = _Members(self._kafka, self._directory, f"{self._name}-rebalance", stack)
            members.start()
            members.await_restored()
            feed = inputs(members.settings, "seed", batches=1_000_000, essays=essays)
            stack.enter_context(paced_inbox(members.settings, feed, RATE))
            looks = stack.enter_context(_Looks(members.settings))
            time.sleep(3 * _AROUND_S)
            begun = time.monotonic()
            second = members.start()
            members.await_restored()
            time.sleep(_AROUND_S)
            joined = time.monotonic()
            second.stop()
            time.sleep(_AROUND_S)
            ended = time.monotonic()
            members.processes.remove(second)
            members.check()
        steady = longest_pause(looks.found, begun - 2 * _AROUND_S, begun)
        return steady, longest_pause(looks.found, begun, joined), longest_pause(looks.found, joined, ended)


class _Members:
    """Orchestrators of one group, on topics of their own."""

    def __init__(self, kafka: Kafka, directory: Path, name: str, stack: ExitStack) -> None:
        self._stack = stack
        self.workplace = stack.enter_context(closing(Workplace(kafka, directory, name)))
        self.settings = self.workplace.settings()
        self.workplace.provision(self.settings)
        self.processes: list[OwnedProcess] = []
        self._ports: list[int] = []

    def start(self) -> OwnedProcess:
        """Start one more."""
        number = len(self._ports)
        self._ports.append(free_port())
        names = {
            "INSTANCE": str(number),
            "METRICS_PORT": str(self._ports[-1]),
            "STATE_DIR": str(self.workplace.directory / f"state-{number}"),
        }
        process = self._stack.enter_context(self.workplace.process(f"member-{number}", ORCHESTRATOR, names))
        self.processes.append(process)
        return process

    def await_restored(self) -> None:
        """Wait until each of them has partitions, and has restored their state."""
        deadline = time.monotonic() + _JOIN_S
        while not all(restored(port) for port in self._ports):
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"not every orchestrator has partitions after {_JOIN_S:.0f} s")
            time.sleep(_LOOK_S)

    def pids(self) -> dict[str, int]:
        """Return their processes."""
        return {f"orchestrator-{number}": process.pid for number, process in enumerate(self.processes)}

    def check(self) -> None:
        """Raise `ProcessEnded` if one has ended."""
        for number, process in enumerate(self.processes):
            self.workplace.check(f"member-{number}", process)


class _Looks(Sampler):
    """Looks at a group's committed offsets again and again, in a thread of its own; a context manager."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("offsets", _LOOK_S)
        self._offsets = GroupOffsets(settings)
        self.found: list[Look] = []

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._offsets.close()

    def _look(self) -> None:
        self.found.append(Look(time.monotonic(), self._offsets.by_partition()))


def longest_pause(looks: Sequence[Look], start_s: float, end_s: float) -> float:
    """Return the longest time between two times in which the offset of some partition did not move."""
    longest = 0.0
    for partition in {number for look in looks for number in look.offsets}:
        moved, offset = start_s, None
        for look in looks:
            if look.at_s > end_s:
                break
            now = look.offsets.get(partition)
            if now != offset:
                if look.at_s >= start_s:
                    longest = max(longest, look.at_s - moved)
                    moved = look.at_s
                offset = now
        longest = max(longest, end_s - moved)
    return longest
