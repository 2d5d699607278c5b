"""Makes the bodies of `api.routes.system_bodies` from what the queries return."""

from collections.abc import Mapping

import msgspec

from api.monitoring.process_findings import Finding
from api.monitoring.processes import ProcessView
from api.queries.system import GateState, PartitionState, SystemState
from api.routes import system_bodies as bodies
from api.times import timestamp
from schemas.internal.pipeline import PhaseDefinition, PipelineDefinition
from state.projection import Due, PhaseStats, Stats, Usual


def stats_body(stats: Stats, stale: str | None) -> bodies.StatsBody:
    """Return the body of the numbers of all batches."""
    return bodies.StatsBody(
        now=timestamp(stats.now_ms),
        as_of=timestamp(stats.as_of_ms) if stats.as_of_ms else None,
        stale=stale,
        live=stats.live,
        counts=stats.counts,
        phases=[_phase(phase) for phase in stats.phases],
        registered=list(stats.registered),
        ended=list(stats.ended),
        dispositions=stats.dispositions,
        next_deadlines=[_due(due) for due in stats.next_deadlines],
        overdue=[_due(due) for due in stats.overdue],
        missed=stats.missed,
    )


def system_body(state: SystemState) -> bodies.System:
    """Return the body of the running system."""
    return bodies.System(
        as_of=timestamp(state.as_of_ms),
        healthy=state.healthy,
        problems=[_finding(problem) for problem in state.problems],
        lag_seconds={where: round(seconds, 1) for where, seconds in state.lag_s.items()},
        processes=[_process(view) for view in state.processes],
        partitions=[_partition(partition) for partition in state.partitions],
        gate=None if state.gate is None else _gate(state.gate),
        settings=[
            bodies.SettingsBody(
                settings_digest=group.settings_digest, version=group.version, processes=list(group.processes)
            )
            for group in state.settings
        ],
        projection=bodies.ProjectionBody(
            state=state.projection.state,
            behind_seconds=round(state.projection.behind_s, 1),
            error=state.projection.error,
        ),
    )


def pipeline_body(
    definition: PipelineDefinition, *, usual: Mapping[str, Usual | None], live: int | None, is_default: bool
) -> bodies.Pipeline:
    """Return the body of a pipeline definition, with every field, also those that have their defaults."""
    return bodies.Pipeline(
        name=definition.name,
        version=definition.version,
        default=is_default,
        live_batches=live,
        provisioning_deadline_s=definition.provisioning_deadline_s,
        purge_after_s=definition.purge_after_s,
        phases=[_phase_definition(phase, usual.get(phase.name)) for phase in definition.phases],
    )


def _phase_definition(phase: PhaseDefinition, usual: Usual | None) -> bodies.PipelinePhase:
    fields = {name: getattr(phase, name) for name in phase.__struct_fields__}
    return bodies.PipelinePhase(**fields | {"after": list(phase.after)}, usual=bodies.usual_body(usual))


def _phase(phase: PhaseStats) -> bodies.PhaseNumbers:
    return bodies.PhaseNumbers(
        phase=phase.phase,
        batches=phase.batches,
        essays=phase.essays,
        oldest_start=timestamp(phase.oldest_start_ms),
        drained=list(phase.drained),
        drain_per_minute=phase.drain_per_minute,
        eta=timestamp(phase.eta_ms),
        failed_last_hour=phase.failed_last_hour,
        usual=bodies.usual_body(phase.usual),
    )


def _due(due: Due) -> bodies.DueBody:
    return bodies.DueBody(
        batch_id=due.batch_id, kind=due.kind.value, phase=due.phase or None, due_at=timestamp(due.due_ms)
    )


def _finding(found: Finding) -> bodies.Finding:
    return bodies.Finding(**found.body())


def _gate(gate: GateState) -> bodies.GateBody:
    behind_s = None if gate.behind_s is None else round(gate.behind_s, 1)
    return bodies.GateBody(open_until=timestamp(gate.open_until_ms), behind_seconds=behind_s)


def _process(view: ProcessView) -> bodies.Process:
    record = view.record
    return bodies.Process(
        process=record.name,
        kind=record.kind,
        instance=record.instance,
        state=view.state,
        alive=record.alive,
        assigned=record.assigned,
        restored=record.restored,
        restored_percent=record.restored_percent,
        partitions=record.partitions,
        lag_seconds=round(record.lag_s, 1),
        silent_seconds=round(view.silent_s, 1),
        started_at=timestamp(record.started_ms),
        host=record.host,
        pid=record.pid,
        version=record.version,
        settings_digest=record.settings_digest,
        shares_instance=view.shares_instance,
        problems=[msgspec.to_builtins(problem) for problem in record.problems],
        open_transactions=[msgspec.to_builtins(each) for each in record.open_transactions],
    )


def _partition(partition: PartitionState) -> bodies.PartitionRead:
    return bodies.PartitionRead(
        process=partition.process,
        topic=partition.topic,
        partition=partition.partition,
        position=partition.position,
        end=partition.end,
        behind=partition.behind,
        lag_seconds=round(partition.seconds, 1),
        trend=partition.trend,
        caught_up_in_seconds=partition.caught_up_in_s,
    )
