"""Whether the whole is well: every process group there, assigned and in time, and the tail alive."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from api.kafka_log.consumer import LogPartition
from api.kafka_log.follower import KafkaLogFollower
from api.monitoring.consumer_groups import Groups, GroupState
from api.monitoring.lag import LagClock
from schemas.topics import Topic

WELL: dict[str, Any] = {"status": "ok", "message": "Batch Orchestrator Service is healthy"}
"""The body that the original answers with."""
_UNWELL_MESSAGE = "Batch Orchestrator Service is not healthy"


class ServiceHealthReport(Struct, frozen=True, kw_only=True):
    """The state of the whole at one moment."""

    reasons: tuple[str, ...]
    """Sentences; empty when it is well."""
    processes: tuple[GroupState, ...]

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reasons

    def body(self) -> dict[str, Any]:
        """Return the JSON body of `/healthz`."""
        if self.well:
            return WELL
        processes = {
            state.process: {
                "members": state.members,
                "assigned_partitions": state.assigned,
                "settled": state.settled,
                "behind_seconds": round(state.behind_s, 1),
            }
            for state in self.processes
        }
        return {
            "status": "unavailable",
            "message": _UNWELL_MESSAGE,
            "reasons": list(self.reasons),
            "processes": processes,
        }


class ServiceHealth:
    """Puts together what the groups and the tail say. For the event loop alone."""

    def __init__(self, tail: KafkaLogFollower, groups: Groups, *, max_lag_s: float) -> None:
        self._tail = tail
        self._groups = groups
        self._max_lag_s = max_lag_s
        self._projection_lag: LagClock[LogPartition] = LagClock()

    def observe(self) -> None:
        """Note where the log has got to; call it every second or so."""
        for partition, end in self._tail.readable.items():
            if partition.topic is Topic.STATUS:
                self._projection_lag.saw(partition, end)

    def projection_behind_s(self) -> float:
        """Return how long the oldest status record that the projection does not hold has been in the log."""
        self.observe()
        return max(
            (
                self._projection_lag.behind(partition, self._tail.projection.get(partition, 0))
                for partition in self._tail.readable
                if partition.topic is Topic.STATUS
            ),
            default=0.0,
        )

    def report(self) -> ServiceHealthReport:
        """Return the state of the whole."""
        seen, error = self._groups.states()
        states = tuple(self._with_projection(state) for state in seen)
        reasons = [*self.tail_reasons(), *((error,) if error else ()), *self._reasons(states)]
        if self._tail.projection_error is not None:
            reasons.append(f"projector: {self._tail.projection_error}")
        return ServiceHealthReport(reasons=tuple(reasons), processes=states)

    def tail_reasons(self) -> list[str]:
        """Return why this process cannot answer registrations now."""
        if self._tail.error is not None:
            return [f"api: the log is not followed any more: {self._tail.error}"]
        if self._tail.waiting_for is not None:
            return [f"api: {self._tail.waiting_for}"]
        if not self._tail.ready:
            return ["api: the log is still being read up to its end."]
        return []

    def _with_projection(self, state: GroupState) -> GroupState:
        if state.process != "projector":
            return state
        behind = max(state.behind_s, self.projection_behind_s())
        return GroupState(
            process=state.process,
            members=state.members,
            assigned=state.assigned,
            settled=state.settled,
            behind_s=behind,
        )

    def _reasons(self, states: Sequence[GroupState]) -> list[str]:
        reasons = []
        for state in states:
            if not state.members:
                reasons.append(f"{state.process}: no process is running.")
            elif not state.assigned:
                reasons.append(f"{state.process}: no partitions are assigned yet.")
            if state.behind_s > self._max_lag_s:
                reasons.append(f"{state.process}: {state.behind_s:.0f} s behind; {self._max_lag_s:.0f} s are allowed.")
        return reasons
