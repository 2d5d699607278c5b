"""From costs to a deployment. Every line of the result says what it assumes."""

import math
from collections.abc import Iterator

from msgspec import Struct

from cli.capacity.costs import ESSAYS, GROWS_WITH_ESSAYS, Costs

DAY_S = 86_400
PURGE_DAYS = 35
"""Days from the end of a batch until it is purged, by default: so long its state and status are kept."""
PEER_RETENTION_DAYS = 7
FEWEST_PARTITIONS = 4
_FRAMING = 90
"""Bytes that Kafka adds to a record, by and large: offsets, lengths, its share of the batch."""
_FOLLOWER_SHARE = 0.3
"""CPU of a broker for a replica of a record, of that for the original. Estimated: a follower only appends."""
_STORE_LEVELS = 1.2
"""Size of a store over its data, as of RocksDB's levels with tenfold steps."""
_KINDS = ("inputs", "inbox", "commands", "status", "history", "changelog")


class Load(Struct, frozen=True, kw_only=True):
    """What is asked of the product, and how much of the machines it may use."""

    batches_per_s: float
    """Peak rate; processes, brokers and network follow from it."""
    mean_batches_per_s: float
    """Mean rate over days; what is kept follows from it."""
    essays: int = ESSAYS
    phases: int = 2
    live_hours: float = 2.0
    """Hours from the registration of a batch to its end."""
    replication: int = 3
    retention_days: float = 30.0
    apis: int = 2
    """Least number of api workers, for availability."""
    utilisation: float = 0.6
    """Share of a core, disk or network that is planned to be used; the rest is for catching up and for peaks."""
    broker_cores: int = 8
    broker_disk_mb_s: float = 200.0
    broker_network_mb_s: float = 250.0

    @property
    def decisions_per_s(self) -> float:
        """Registration, ready, and one outcome for each phase."""
        return self.batches_per_s * (2 + self.phases)


class Line(Struct, frozen=True, kw_only=True):
    """One line of a plan."""

    what: str
    amount: float
    unit: str
    because: str
    """The computation, with the assumption behind it."""
    warning: str = ""


def plan(load: Load, costs: Costs) -> list[Line]:
    """Return the deployment that a load needs."""
    return [*_processes(load, costs), *_kafka(load, costs), *_kept(load, costs)]


def _processes(load: Load, costs: Costs) -> Iterator[Line]:
    rate = load.decisions_per_s
    yield Line(
        what="decisions",
        amount=rate,
        unit="/s",
        because=f"{load.batches_per_s:g} batches/s x (registration, ready and {load.phases} outcomes)",
    )
    orchestrators = _count(load, costs.orchestrator_us)
    partitions = max(FEWEST_PARTITIONS, 2 ** math.ceil(math.log2(2 * orchestrators)))
    yield Line(
        what="partitions",
        amount=partitions,
        unit="",
        because="two for each orchestrator, so that their number can double, and a power of two: the number is fixed "
        "for the life of the state",
    )
    for name, us, why in (
        ("routers", costs.router_us, "they share the partitions of the input topics"),
        ("orchestrators", costs.orchestrator_us, "they share the inbox's partitions"),
    ):
        yield Line(
            what=name,
            amount=_count(load, us),
            unit="processes",
            because=f"{_told(load, us)}, {load.utilisation:.0%} of a core each; {why}",
        )
    for name, us, what in (
        ("projector", costs.projector_us, "One process fills one projection."),
        ("timekeeper", costs.timekeeper_us, "One process has the index of all deadlines."),
    ):
        cores = _cores(load, us)
        yield Line(
            what=name,
            amount=1,
            unit="process",
            because=f"{_told(load, us)}: {cores:.2f} cores",
            warning=_too_much(cores, load, what),
        )
    following = _cores(load, costs.api_us)
    workers = max(load.apis, math.ceil(load.batches_per_s / costs.registrations_per_s / load.utilisation))
    yield Line(
        what="api workers",
        amount=workers,
        unit="processes",
        because=f"{costs.registrations_per_s:.0f} registrations/s each, at least {load.apis}; each follows all "
        f"decisions with {following:.2f} cores beside its requests",
        warning=_too_much(following, load, "Each worker of the api follows every decision."),
    )
    total = _cores(load, costs.router_us + costs.orchestrator_us + costs.projector_us + costs.timekeeper_us)
    yield Line(
        what="cores of all processes",
        amount=(total + following * workers) / load.utilisation,
        unit="cores",
        because=f"what they use, over {load.utilisation:.0%}; without registrations over HTTP",
    )


def _kafka(load: Load, costs: Costs) -> Iterator[Line]:
    cores = _cores(load, costs.broker_us) * (1 + _FOLLOWER_SHARE * (load.replication - 1))
    # Disk writes at the measured size of a batch, by the records' sizes at another one.
    share = _record_bytes(costs, load.essays) / _record_bytes(costs, ESSAYS)
    written = load.decisions_per_s * costs.broker_written * share * load.replication / 1e6
    produced = load.decisions_per_s * _record_bytes(costs, load.essays) / 1e6
    read = load.decisions_per_s * _read_bytes(load, costs) / 1e6
    replicated = produced * (load.replication - 1)
    network = produced + read + 2 * replicated  # a replicated record leaves one broker and arrives at another
    needed = {
        "copies": float(load.replication),
        "cores": cores / load.broker_cores / load.utilisation,
        "disk": written / load.broker_disk_mb_s / load.utilisation,
        "network": network / load.broker_network_mb_s / load.utilisation,
    }
    decisive = max(needed, key=lambda each: needed[each])
    yield Line(
        what="brokers",
        amount=math.ceil(needed[decisive]),
        unit="",
        because=f"{decisive} decide: {load.broker_cores} cores, {load.broker_disk_mb_s:g} MB/s of disk and "
        f"{load.broker_network_mb_s:g} MB/s of network each, {load.replication} copies",
    )
    yield Line(
        what="cores of all brokers",
        amount=cores / load.utilisation,
        unit="cores",
        because=f"{_told(load, costs.broker_us)}, and {_FOLLOWER_SHARE:.0%} of that for each further copy (estimated)",
    )
    yield Line(
        what="written by brokers",
        amount=written,
        unit="MB/s",
        because=f"{costs.broker_written * share / 1e3:.1f} KB a decision, {load.replication} copies",
    )
    own = costs.projection_written + costs.store_written
    yield Line(
        what="written by product",
        amount=load.decisions_per_s * own / 1e6,
        unit="MB/s",
        because=f"projection {costs.projection_written / 1e3:.1f} KB and stores {costs.store_written / 1e3:.1f} KB a "
        "decision",
    )
    yield Line(
        what="network of all brokers",
        amount=network,
        unit="MB/s",
        because=f"{produced:.1f} produced, {read:.1f} read, {replicated:.1f} replicated (out and in); "
        "as if nothing were compressed",
    )


def _kept(load: Load, costs: Costs) -> Iterator[Line]:
    decided_a_day = load.mean_batches_per_s * (2 + load.phases) * DAY_S
    sizes = {kind: getattr(costs, kind).at(load.essays) + _FRAMING for kind in (*_KINDS, "ended")}
    own = decided_a_day * load.retention_days * (sizes["inbox"] + sizes["history"])
    peers = decided_a_day * PEER_RETENTION_DAYS * (sizes["inputs"] + sizes["commands"])
    live = load.mean_batches_per_s * load.live_hours * 3_600
    ended = load.mean_batches_per_s * PURGE_DAYS * DAY_S
    state = live * sizes["changelog"] + ended * sizes["ended"]
    # Compaction leaves up to as much again of what is superseded (min.cleanable.dirty.ratio 0.5).
    compacted = 2 * (state + (live + ended) * sizes["status"])
    kept = f"{live:,.0f} live batches ({load.live_hours:g} h each), {ended:,.0f} ended ones ({PURGE_DAYS} days)"
    yield Line(
        what="disk of all brokers",
        amount=(own + peers + compacted) * load.replication / 1e9,
        unit="GB",
        because=f"inbox and history {load.retention_days:g} days, peers' topics {PEER_RETENTION_DAYS} days, state and "
        f"status until the purge, twice for compaction; {load.replication} copies",
    )
    yield Line(
        what="stores of all orchestrators",
        amount=state * _STORE_LEVELS / 1e9,
        unit="GB",
        because=f"{kept}, {_STORE_LEVELS - 1:.0%} more for RocksDB's levels",
    )
    yield Line(
        what="batches to restore",
        amount=live + ended,
        unit="batches",
        because=f"if all state directories are lost; each orchestrator restores its partitions, "
        f"{costs.restored_per_s:,.0f}/s measured",
    )
    yield Line(
        what="projection",
        amount=decided_a_day * PURGE_DAYS * costs.projection_bytes / 1e9,
        unit="GB",
        because=f"{costs.projection_bytes:,.0f} bytes a decision until the purge, {PURGE_DAYS} days",
    )


def _essay_factor(load: Load) -> float:
    return 1 - GROWS_WITH_ESSAYS + GROWS_WITH_ESSAYS * load.essays / ESSAYS


def _cores(load: Load, us: float) -> float:
    return load.decisions_per_s * us * _essay_factor(load) / 1e6


def _count(load: Load, us: float) -> int:
    return max(1, math.ceil(_cores(load, us) / load.utilisation))


def _told(load: Load, us: float) -> str:
    return f"{us * _essay_factor(load):.0f} us of CPU a decision"


def _too_much(cores: float, load: Load, what: str) -> str:
    if cores <= load.utilisation:
        return ""
    return (
        f"{what} This load needs {cores:.1f} cores for it: split the load over several installations by TOPIC_PREFIX."
    )


def _record_bytes(costs: Costs, essays: int) -> float:
    return sum(float(getattr(costs, kind).at(essays)) + _FRAMING for kind in _KINDS)


def _read_bytes(load: Load, costs: Costs) -> float:
    """Return the bytes of a decision's records over all their readers; the changelog is read at starts alone."""
    readers = {"inputs": 1, "inbox": 1, "commands": 1, "status": 2 + load.apis, "history": 1 + load.apis}
    return sum((float(getattr(costs, kind).at(load.essays)) + _FRAMING) * count for kind, count in readers.items())
