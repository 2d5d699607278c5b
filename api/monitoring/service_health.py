"""Health of the whole product: processes present and in time, no transaction left open, the Kafka log followed."""

from typing import Any

from msgspec import Struct

from api.kafka_log.follower import KafkaLogFollower
from api.kafka_log.kafka_log import LogPartition
from api.monitoring.lag import LagClock
from api.monitoring.process_findings import (
    Finding,
    ProcessSummary,
    findings,
    open_transaction_findings,
    summaries,
)
from runtime.health import ProcessHealth, ProcessHealthReport
from schemas.errors import Code
from schemas.internal.processes import ProcessProblem
from schemas.topics import Topic

HEALTHY: dict[str, Any] = {"status": "ok", "message": "Batch Orchestrator Service is healthy"}
"""The body that the original service answers with."""
_UNHEALTHY_MESSAGE = "Batch Orchestrator Service is not healthy"
_WAIT = "Wait a moment; if it persists, read the log of the api."
_CLUSTER = "Check that the Kafka cluster answers this api; the api's log has Kafka's errors."


class ServiceHealthReport(Struct, frozen=True, kw_only=True):
    """The health of the whole product at one moment."""

    findings: tuple[Finding, ...]
    """All health problems; empty if the product is healthy."""
    processes: tuple[ProcessSummary, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings as sentences."""
        return tuple(str(finding) for finding in self.findings)

    @property
    def healthy(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def body(self) -> dict[str, Any]:
        """Return the JSON body of `/healthz`."""
        if self.healthy:
            return HEALTHY
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
            "message": _UNHEALTHY_MESSAGE,
            "reasons": list(self.reasons),
            "problems": [finding.body() for finding in self.findings],
            "processes": processes,
        }


class ServiceHealth:
    """Combines the reports of the processes with the follower's observations. Use it on the event loop only.

    `own` is the health of this process. If no process, including this one, has reported for `silence_s` seconds, the
    api itself receives nothing; that is the finding then, and no process counts as missing.
    """

    def __init__(self, follower: KafkaLogFollower, own: ProcessHealth, *, max_lag_s: float, silence_s: float) -> None:
        self._follower = follower
        self._own = own
        self._max_lag_s = max_lag_s
        self._silence_s = silence_s
        self._projection_lag: LagClock[LogPartition] = LagClock()

    def observe(self) -> None:
        """Note the end offsets of the Kafka log; call it about once a second."""
        for partition, end in self._follower.readable.items():
            if partition.topic is Topic.STATUS:
                self._projection_lag.saw(partition, end)

    def projection_behind_s(self) -> float:
        """Return the projection's lag: the seconds for which its oldest missing status record has been in the log."""
        return max(self.projection_lags().values(), default=0.0)

    def projection_lags(self) -> dict[LogPartition, float]:
        """Return the projection's lag in seconds by partition of the status topic."""
        self.observe()
        return {
            partition: self._projection_lag.behind(partition, self._follower.projection.get(partition, 0))
            for partition in self._follower.readable
            if partition.topic is Topic.STATUS
        }

    def report(self) -> ServiceHealthReport:
        """Return the health of the whole product."""
        views = self._follower.processes.views()
        states = summaries(views, {"projector": self.projection_behind_s()})
        found = [Finding(Code.NOT_READY, "api", reason, _WAIT) for reason in self._follower_reasons()]
        seen = self._own.report().open_transactions
        if self._receives_reports():
            found += findings(views, states, max_lag_s=self._max_lag_s, seen=seen)
        else:
            found += [*self._silence_findings(), *open_transaction_findings(seen)]
        if self._follower.projection_error is not None:
            found.append(Finding(Code.PROJECTION, "projector", self._follower.projection_error, ""))
        return ServiceHealthReport(findings=tuple(found), processes=states)

    def own_report(self) -> ProcessHealthReport:
        """Return the report of this process for the processes topic."""
        report = self._own.report()
        problems = [ProcessProblem(Code.NOT_READY, reason, _WAIT) for reason in self._follower_reasons()]
        problems += report.problems
        return ProcessHealthReport(
            process=report.process,
            alive=report.alive and self._follower.error is None,
            assigned=self._follower.started,
            restored=self._follower.ready,
            partitions=report.partitions,
            lag_seconds=report.lag_seconds,
            reasons=tuple(problem.message for problem in problems),
            problems=tuple(problems),
            open_transactions=report.open_transactions,
            positions=report.positions,
        )

    def follower_reasons(self) -> list[str]:
        """Return why this process cannot answer registrations now; empty if it can."""
        return [f"api: {reason}" for reason in self._follower_reasons()]

    def _follower_reasons(self) -> list[str]:
        if self._follower.error is not None:
            return [f"the Kafka log is no longer followed: {self._follower.error}"]
        if self._follower.waiting_for is not None:
            return [self._follower.waiting_for]
        if not self._follower.ready:
            return ["the Kafka log is still being read up to its end."]
        return []

    def _receives_reports(self) -> bool:
        """Whether the reports of the processes are current."""
        return self._follower.processes_read and self._follower.processes.silence_s() <= self._silence_s

    def _silence_findings(self) -> list[Finding]:
        if not self._follower.started:
            return []  # the follower's reasons say why
        if not self._follower.processes_read:
            return [Finding(Code.NOT_READY, "api", "the reports of the processes are still being read.", _WAIT)]
        silence_s = self._follower.processes.silence_s()
        message = f"no process, including this one, has reported for {silence_s:.0f} s."
        return [Finding(Code.BROKER, "api", message, _CLUSTER)]
