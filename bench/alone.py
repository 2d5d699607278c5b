"""Measures single processes on a prepared load: orchestrator, bare loop and router, in turns."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from bench.load import Laid, fill_inbox, fill_inputs
from bench.measuring import Cost, measure_to_end
from bench.wire import Shape
from bench.workplace import GroupOffsets, InboxEnd, Workplace, begin_at_the_start
from cli.broker import Kafka
from runtime.settings import Settings

ORCHESTRATOR = ("-m", "cli.main", "orchestrator")
BARE_LOOP = ("-m", "bench.bare_loop")
ROUTER = ("-m", "cli.main", "router")
SELF = "self"
"""Name of the measured process in the results, beside the broker."""


MESSAGE_PATH = "message_path"
"""The setting that chooses between the stream library's path for each message and the product's own."""


def message_paths() -> tuple[str, ...]:
    """Return the values of the setting that chooses the message path, the default first; one empty text without it."""
    field = Settings.model_fields.get(MESSAGE_PATH)
    if field is None:
        return ("",)
    values = [str(value) for value in get_args(field.annotation)]
    if not values:
        raise TypeError(f"the setting {MESSAGE_PATH} has no fixed values to choose from")
    default = str(field.default)
    return (default, *(value for value in values if value != default))


def _named(path: str) -> str:
    return f"orchestrator, {path} path" if path else "orchestrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class AloneResult:
    """Medians over all rounds, and the rounds themselves."""

    orchestrators: dict[str, Cost]
    """By message path, the default one first; the name is empty where there is only one."""
    bare_loop: Cost
    routers: dict[Shape, Cost]
    inbox: Laid
    inputs: dict[Shape, Laid]
    rounds: dict[str, list[Cost]]

    @property
    def default_path(self) -> str:
        """The message path that is used unless told otherwise."""
        return next(iter(self.orchestrators))

    def of_bare_loop(self, path: str) -> float:
        """Return the bare loop's CPU of a decision over that of an orchestrator."""
        return self._lowest_us("bare loop") / self._lowest_us(_named(path))

    @property
    def router_of_orchestrator(self) -> float:
        """The router's CPU of an event, of the orchestrator's of a decision."""
        return self._lowest_us("router seed") / self._lowest_us(_named(self.default_path))

    def _lowest_us(self, name: str) -> float:
        """Return the lowest CPU of a unit of work over the rounds: what else the host does can only add to it."""
        return min(cost.cpu_us[SELF] for cost in self.rounds[name])

    @property
    def orchestrator(self) -> Cost:
        """The orchestrator with the default message path."""
        return self.orchestrators[self.default_path]


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
                orchestrators={path: middle[_named(path)] for path in message_paths()},
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
            _named(path): self._decide(f"orchestrator{path}", ORCHESTRATOR, number, inbox, path)
            for path in message_paths()
        }
        costs["bare loop"] = self._decide("bare-loop", BARE_LOOP, number, inbox)
        for shape, laid in inputs.items():
            costs[f"router {shape}"] = self._route(shape, number, laid)
        told = ", ".join(f"{name} {cost.per_second:.0f}/s {cost.cpu_us[SELF]:.0f} us" for name, cost in costs.items())
        self._report(f"round {number + 1}: {told}")
        return costs

    def _decide(self, name: str, command: tuple[str, ...], number: int, laid: Laid, path: str = "") -> Cost:
        """Let a process decide the whole inbox as a new group with an empty state."""
        group = f"{name}-{number}"
        names = {"ORCHESTRATOR_GROUP": group, "STATE_DIR": str(self._inbox.directory / group)}
        if path:
            names[MESSAGE_PATH.upper()] = path
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
