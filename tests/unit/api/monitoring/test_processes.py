"""Who is live, silent, stopped or failed, from the records of the processes and when they came."""

from typing import Any

from api.monitoring.process_findings import findings, summaries
from api.monitoring.processes import FORGET_S, Processes, ProcessView
from schemas.internal.processes import ProcessProblem, ProcessRecord, ProcessState
from schemas.internal.records import process_outgoing
from tests.unit.api.memory import process_record

BOUND_S = 12.0
"""Of processes that report every 3 s."""


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Heard:
    """A directory of processes, and the time."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.processes = Processes(self.clock)

    def tell(self, kind: str = "router", *, old: bool = False, appended_ms: int = 0, **facts: Any) -> ProcessRecord:
        record = process_record(kind, **{"interval_s": 3.0, **facts})
        outgoing = process_outgoing(record)
        self.processes.fold(outgoing.key, outgoing.value, appended_ms, old=old)
        return record

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @property
    def views(self) -> list[ProcessView]:
        return self.processes.views()

    def states(self) -> list[str]:
        return [view.state for view in self.views]

    def codes(self) -> list[tuple[str, str]]:
        found = findings(self.views, summaries(self.views, {}), max_lag_s=60)
        return [
            (one.code, one.process)
            for one in found
            if one.process not in {"projector", "orchestrator", "router", "timekeeper"}
        ]


def test_who_falls_silent_is_missing_and_comes_back() -> None:
    heard = Heard()
    heard.tell()
    heard.wait(BOUND_S)
    assert heard.states() == ["live"]
    heard.wait(1)
    assert heard.states() == ["missing"]
    assert heard.codes() == [("ORC-PROCESS-MISSING", "router/0")]
    heard.tell()
    assert heard.states() == ["live"]
    assert heard.codes() == []


def test_who_stops_in_order_is_not_missing() -> None:
    heard = Heard()
    heard.tell()
    heard.tell(state=ProcessState.STOPPED)
    heard.wait(10 * BOUND_S)
    assert heard.states() == ["stopped"]
    assert heard.codes() == []
    heard.tell(start_id="next")
    assert heard.states() == ["live"]


def test_who_is_gone_for_good_is_forgotten_after_a_day() -> None:
    heard = Heard()
    heard.tell()
    heard.wait(FORGET_S + 1)
    assert heard.views == []


def test_a_tombstone_forgets_at_once() -> None:
    heard = Heard()
    heard.tell()
    heard.processes.fold(b"router/0", None, 0, old=False)
    assert heard.views == []


def test_a_restart_replaces_who_was_there_before() -> None:
    heard = Heard()
    heard.tell("orchestrator")
    heard.wait(1)
    for _ in range(5):
        heard.tell("orchestrator", start_id="next")
        (view,) = heard.views
        assert (view.record.start_id, view.shares_instance) == ("next", False)
        assert heard.codes() == []
        heard.wait(3)


def test_two_processes_with_one_instance_are_told_until_one_of_them_has_gone() -> None:
    heard = Heard()
    for _ in range(2):
        heard.tell("orchestrator")
        heard.tell("orchestrator", start_id="twin")
        heard.wait(3)
    assert [view.shares_instance for view in heard.views] == [True, True]
    assert heard.codes() == [("ORC-INSTANCE-TWICE", "orchestrator/0")] * 2
    for _ in range(5):
        heard.tell("orchestrator")
        heard.wait(3)
    assert [view.shares_instance for view in heard.views] == [False]
    assert heard.codes() == []


def test_a_twin_that_stops_leaves_the_other_alone() -> None:
    heard = Heard()
    for _ in range(2):
        heard.tell("orchestrator")
        heard.tell("orchestrator", start_id="twin")
    heard.tell("orchestrator", start_id="twin", state=ProcessState.STOPPED)
    assert [(view.state, view.record.start_id) for view in heard.views] == [("live", "orchestrator-start")]


def test_a_start_that_took_over_from_one_that_crashed_may_stop_at_once() -> None:
    heard = Heard()
    heard.tell("orchestrator", start_id="crashed without a last report")
    heard.wait(1)
    heard.tell("orchestrator")
    heard.tell("orchestrator", state=ProcessState.STOPPED)
    assert heard.states() == ["stopped"]
    heard.wait(10 * BOUND_S)
    assert heard.codes() == []


def test_a_start_that_is_refused_at_once_hides_no_other() -> None:
    heard = Heard()
    heard.tell("orchestrator")
    heard.wait(1)
    heard.tell("orchestrator", start_id="twin", state=ProcessState.FAILED)
    assert [(view.state, view.record.start_id) for view in heard.views] == [("live", "orchestrator-start")]


def test_replicas_and_workers_of_an_api_may_share_an_instance() -> None:
    heard = Heard()
    for _ in range(3):
        heard.tell("api")
        heard.tell("api", start_id="worker")
        heard.wait(3)
    assert heard.states() == ["live", "live"]
    assert heard.codes() == []


def test_what_was_there_before_is_as_old_as_the_leader_says() -> None:
    heard = Heard()
    heard.tell("router", old=True, appended_ms=1_000_000)
    heard.tell("projector", old=True, appended_ms=1_100_000)
    assert [(view.record.kind, view.state) for view in heard.views] == [("projector", "live"), ("router", "missing")]
    heard.tell("router", appended_ms=1_101_000)
    heard.tell("projector", appended_ms=9_000_000)
    assert heard.states() == ["live", "live"], "clocks do not matter from then on"


def test_who_was_taken_away_before_this_api_began_is_told_only_where_nobody_else_works() -> None:
    heard = Heard()
    heard.tell("orchestrator", instance="1", start_id="gone", old=True, appended_ms=1_000_000)
    heard.tell("projector", appended_ms=1_100_000)
    assert heard.codes() == [("ORC-PROCESS-MISSING", "orchestrator/1")]
    heard.tell("orchestrator", appended_ms=1_101_000)
    assert heard.codes() == []
    assert heard.states() == ["live", "missing", "live"]


def test_silence_is_that_of_all_and_not_broken_by_what_was_there_before() -> None:
    heard = Heard()
    heard.wait(5)
    heard.tell(old=True)
    assert heard.processes.silence_s() == 5
    heard.tell()
    assert heard.processes.silence_s() == 0


def test_one_that_joins_beside_others_is_told_after_a_while_and_one_that_joins_alone_at_once() -> None:
    joining: dict[str, Any] = {
        "instance": "1",
        "start_id": "one",
        "assigned": False,
        "partitions": 0,
        "problems": (ProcessProblem("ORC-PROCESS-NOT-READY", "The consumer group is rebalancing."),),
    }
    told = [("ORC-PROCESS-NOT-READY", "orchestrator/1")]
    heard = Heard()
    heard.tell("orchestrator", **joining)
    assert heard.codes() == told, "nobody else does the work"
    for second in range(20):
        heard.tell("orchestrator")
        heard.tell("orchestrator", **joining)
        assert heard.codes() == (told if second > 15 else [])
        heard.wait(1)


def test_one_whose_loop_does_not_poll_is_told_at_once() -> None:
    heard = Heard()
    heard.tell("orchestrator", instance="1", start_id="other")
    problem = ProcessProblem("ORC-PROCESS-NOT-READY", "The processing loop has not polled for 20 s.")
    heard.tell("orchestrator", alive=False, problems=(problem,))
    assert heard.codes() == [("ORC-PROCESS-NOT-READY", "orchestrator/0")]


def test_a_strange_interval_does_not_make_a_process_last_for_ever() -> None:
    heard = Heard()
    heard.tell(interval_s=1e9)
    heard.wait(200)
    assert heard.states() == ["missing"]
