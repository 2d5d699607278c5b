"""Measures single processes on a prepared load: orchestrator, bare loop and router, in turns."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.load import Laid, fill_inbox, fill_inputs
from bench.measuring import Cost, measure_to_end
from bench.wire import Shape
from bench.workplace import GroupOffsets, InboxEnd, Workplace, begin_at_the_start
from cli.broker import Kafka

ORCHESTRATOR = ("-m", "cli.main", "orchestrator")
BARE_LOOP = ("-m", "bench.bare_loop")
ROUTER = ("-m", "cli.main", "router")
SELF = "self"
"""Name of the measured process in the results, beside the broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneResult:
    """Medians over all rounds, and the rounds themselves."""

    orchestrator: Cost
    bare_loop: Cost
    routers: dict[Shape, Cost]
    inbox: Laid
    inputs: dict[Shape, Laid]
    rounds: dict[str, list[Cost]]


class Alone:
    """Measures single processes, `rounds` times each in turns."""

    def __init__(self, kafka: Kafka, directory: Path, name: str, report: Callable[[str], None]) -> None:
        self._kafka = kafka
        self._report = report
        self._inbox = Workplace(kafka, directory, f"{name}-alone")
        self._inputs: dict[Shape, Workplace] = {
            shape: Workplace(kafka, directory, f"{name}-{shape}") for shape in ("seed", "head")
        }

    def run(self, *, batches: int, essays: int, rounds: int) -> AloneResult:
        """Prepare the load, measure, and clean up."""
        try:
            settings = self._inbox.settings()
            self._inbox.provision(settings)
            inbox = fill_inbox(settings, batches=batches, essays=essays)
            self._report(f"inbox: {inbox.records} records of {inbox.mean_bytes:.0f} bytes")
            inputs = {shape: self._fill(shape, batches, essays) for shape in self._inputs}
            found: dict[str, list[Cost]] = {}
            for number in range(rounds):
                for name, cost in self._round(number, inbox, inputs).items():
                    found.setdefault(name, []).append(cost)
            middle = {name: Cost.middle(costs) for name, costs in found.items()}
            return AloneResult(
                orchestrator=middle["orchestrator"],
                bare_loop=middle["bare loop"],
                routers={shape: middle[f"router {shape}"] for shape in self._inputs},
                inbox=inbox,
                inputs=inputs,
                rounds=found,
            )
        finally:
            for workplace in (self._inbox, *self._inputs.values()):
                workplace.close()

    def _fill(self, shape: Shape, batches: int, essays: int) -> Laid:
        workplace = self._inputs[shape]
        workplace.provision(workplace.settings())
        laid = fill_inputs(workplace.settings(), shape, batches=batches, essays=essays)
        self._report(f"router inputs, {shape}: {laid.records} records of {laid.mean_bytes:.0f} bytes")
        return laid

    def _round(self, number: int, inbox: Laid, inputs: dict[Shape, Laid]) -> dict[str, Cost]:
        costs = {
            "orchestrator": self._decide("orchestrator", ORCHESTRATOR, number, inbox),
            "bare loop": self._decide("bare-loop", BARE_LOOP, number, inbox),
        }
        for shape, laid in inputs.items():
            costs[f"router {shape}"] = self._route(shape, number, laid)
        told = ", ".join(f"{name} {cost.per_second:.0f}/s {cost.cpu_us[SELF]:.0f} us" for name, cost in costs.items())
        self._report(f"round {number + 1}: {told}")
        return costs

    def _decide(self, name: str, command: tuple[str, ...], number: int, laid: Laid) -> Cost:
        """Let a process decide the whole inbox as a new group with an empty state."""
        group = f"{name}-{number}"
        names = {"ORCHESTRATOR_GROUP": group, "STATE_DIR": str(self._inbox.directory / group)}
        settings = self._inbox.settings(**names)
        self._inbox.provision(settings)
        return self._measure(self._inbox, group, command, names, GroupOffsets(settings), laid.records)

    def _route(self, shape: Shape, number: int, laid: Laid) -> Cost:
        """Let a router route every input as a new group."""
        workplace = self._inputs[shape]
        group = f"router-{shape}-{number}"
        begin_at_the_start(workplace.settings(ROUTER_GROUP=group))
        end = InboxEnd(workplace.settings())
        return self._measure(workplace, group, ROUTER, {"ROUTER_GROUP": group}, end, laid.records)

    @staticmethod
    def _measure(
        workplace: Workplace,
        name: str,
        command: tuple[str, ...],
        names: dict[str, str],
        done: GroupOffsets | InboxEnd,
        total: int,
    ) -> Cost:
        with closing(done), workplace.process(name, command, names) as process:
            pids = {SELF: process.pid, **workplace.broker_pids()}
            return measure_to_end(done, total, pids, check=lambda: workplace.check(name, process))
