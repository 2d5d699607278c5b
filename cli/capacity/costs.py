"""What one decision costs: the measured values that capacity is computed from, in one table.

Times are CPU time of whole processes, native threads included, for one decision of a batch of 25 essays, with all
processes running (docs/performance.md, "A whole run, twice"). Record sizes follow from the code; a test computes them
anew.
"""

from collections.abc import Mapping

from msgspec import Struct, structs

ESSAYS = 25
"""Essays of a batch for which times were measured."""
GROWS_WITH_ESSAYS = 0.3
"""Share of these times that is proportional to the number of essays: that of the decision core, measured with 5, 25 and
50 essays. All else of a process depends less on them, so larger batches come out too dear rather than too cheap."""


class Records(Struct, frozen=True, kw_only=True):
    """Bytes of one decision's records of a kind, keys and headers included, before Kafka's own 70 to 100 for each."""

    fixed: float
    per_essay: float

    def at(self, essays: int) -> float:
        """Return the bytes with so many essays."""
        return self.fixed + self.per_essay * essays


class Costs(Struct, frozen=True, kw_only=True):
    """Measured costs of one decision. CPU times are in microseconds, disk writes in bytes at replication factor 1."""

    source: str = "docs/performance.md, first run of 2026-11-27"
    router_us: float = 68.0
    orchestrator_us: float = 265.0
    projector_us: float = 156.0
    timekeeper_us: float = 29.0
    api_us: float = 48.0
    """Each worker of an api follows the log of all decisions."""
    broker_us: float = 187.0
    broker_written: float = 11_400.0
    projection_written: float = 9_700.0
    store_written: float = 2_400.0
    registrations_per_s: float = 529.0
    """Registrations of one api worker over HTTP, on two cores that everything shared."""
    projection_bytes: float = 1_850.0
    """Growth of the projection with a decision: its part of the status and a history record."""
    restored_per_s: float = 35_000.0
    """Live batches that an orchestrator without its directory reads from the changelog in a second."""
    inputs: Records = Records(fixed=640, per_essay=78.8)
    inbox: Records = Records(fixed=715, per_essay=78.8)
    commands: Records = Records(fixed=1_204, per_essay=62.3)
    status: Records = Records(fixed=1_213, per_essay=0.1)
    history: Records = Records(fixed=1_086, per_essay=0.1)
    changelog: Records = Records(fixed=1_622, per_essay=20.0)
    ended: Records = Records(fixed=1_740, per_essay=0.1)
    """State of a batch that has ended, which is kept until the purge."""


_FIGURES = {
    "router_us": "whole.router.cpu_us",
    "orchestrator_us": "whole.orchestrator-0.cpu_us",
    "projector_us": "whole.projector.cpu_us",
    "timekeeper_us": "whole.timekeeper.cpu_us",
    "api_us": "whole.api-0.cpu_us",
    "broker_us": "whole.broker.cpu_us",
    "registrations_per_s": "registration.limit.per_second",
    "restored_per_s": "million.restored_per_s",
    "projection_bytes": "projection.decision_bytes",
}
_KILOBYTES = {
    "broker_written": "whole.kb.broker",
    "projection_written": "whole.kb.projector",
    "store_written": "whole.kb.orchestrator-0",
}
"""Figures of `python -m bench --json`, by the cost that they replace."""


def with_figures(figures: Mapping[str, float], source: str) -> Costs:
    """Return the costs with those of a run of the benchmark in place of the table's, as far as it measured them."""
    found = {cost: figures[name] for cost, name in _FIGURES.items() if name in figures}
    found |= {cost: figures[name] * 1_000 for cost, name in _KILOBYTES.items() if name in figures}
    missing = len(_FIGURES) + len(_KILOBYTES) - len(found)
    told = f"{source}; {missing} of its costs from {Costs().source}" if missing else source
    return structs.replace(Costs(), source=told, **found)
