"""What a run measures: its sections, and the amounts of each."""

from dataclasses import dataclass

CORE = "core"
ALONE = "alone"
WHOLE = "whole"
LATENCY = "latency"
REGISTRATION = "registration"
LIVE = "live"
SCALING = "scaling"
MILLION = "million"
DEADLINES = "deadlines"
PROJECTION = "projection"
REBUILD = "rebuild"
SOAK = "soak"
"""A section that takes a quarter of an hour, and runs only where it is asked for."""
SECTIONS = (CORE, ALONE, WHOLE, LATENCY, REGISTRATION, LIVE, SCALING, MILLION, DEADLINES, PROJECTION, REBUILD)
"""The sections of a run without `--section`, in their order."""
WITHOUT_KAFKA = frozenset({CORE, PROJECTION})
ON_A_STACK = frozenset({WHOLE, LATENCY, REGISTRATION, LIVE})
"""Sections that measure all processes of the product together."""
ESSAYS = 25
SOAK_PER_SECOND = 120.0
"""Batches a second of the soak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Amounts to measure. Times are in seconds."""

    batches: int = 6_000
    """Batches whose events single processes work on."""
    rounds: int = 5
    """Rounds in which single processes are measured in turns."""
    sustained: float = 12.0
    in_flight: int = 600
    """Number of concurrent batches at full load, so many that no process waits for the peers."""
    rates: tuple[float, ...] = (500.0, 1_000.0)
    """Decisions a second at which the latency from event to command is measured."""
    latency: float = 120.0
    """How long each pipeline is measured at each rate, in turns of `turn` seconds."""
    turn: float = 10.0
    settled: float = 5.0
    """How long a load runs before a turn of it is measured."""
    compiled: float = 30.0
    """How long the broker is under load before the pipeline is measured: its just-in-time compiler takes a core."""
    registration: float = 20.0
    limit: float = 8.0
    idle: float = 60.0
    """How long idle streams are watched."""
    live: float = 20.0
    scaled: int = 8_000
    """Batches whose events one, two and four orchestrators share."""
    scalings: int = 3
    """Rounds of one, two and four orchestrators in turns."""
    many: int = 1_000_000
    """Live batches of the large orchestrator."""
    few: int = 10_000
    """Live batches of the small one, whose decisions are the measure of the other's."""
    soak: int = 100_000
    """Batches of the soak."""
    armed: int = 1_000_000
    core: int = 8
    """Rounds of the core."""
    projected: int = 1_000_000
    """Batches of the projection that is read."""
    rebuilt: int = 100_000
    """Batches of the projection that is built anew from Kafka."""
    decided: int = 4_000
    """Batches whose decisions are projected to measure one."""
    reads: int = 300
    """Repetitions of each read."""


QUICK = Plan(
    batches=1_000,
    rounds=1,
    sustained=6.0,
    in_flight=200,
    latency=5.0,
    turn=5.0,
    settled=2.0,
    compiled=0.0,
    registration=5.0,
    limit=3.0,
    idle=8.0,
    live=6.0,
    scaled=1_000,
    scalings=1,
    many=20_000,
    few=2_000,
    soak=2_000,
    armed=100_000,
    core=2,
    projected=10_000,
    rebuilt=2_000,
    decided=500,
    reads=20,
)
"""Everything, small: it shows that the benchmark works, and its numbers are rough."""
