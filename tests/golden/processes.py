"""Examples of process records."""

from schemas.internal.formats import PROCESS
from schemas.internal.processes import InputPosition, OpenTransaction, ProcessProblem, ProcessRecord, ProcessState
from schemas.topics import Topic
from tests.golden.facts import EVENT, TIME, versions


def processes() -> dict[str, ProcessRecord]:
    """Process records: a healthy one, one with every problem, a stopped one, a failed one."""

    def record(state: ProcessState, **facts: object) -> ProcessRecord:
        given = {
            **versions(PROCESS),
            "kind": "router",
            "instance": "0",
            "start_id": EVENT,
            "state": state,
            "host": "host-1",
            "pid": 17,
            "version": "0.1.0",
            "settings_digest": "ab" * 32,
            "started_ms": TIME - 60_000,
            "time_ms": TIME,
            "interval_s": 3.0,
        }
        return ProcessRecord(**given | facts)

    works = {"alive": True, "assigned": True, "restored": True, "partitions": 2}
    positions = (InputPosition(Topic.REQUESTS.value, 0, 41, 41), InputPosition(Topic.OUTCOME.value, 2, 17, 17))
    open_transaction = OpenTransaction(Topic.OUTCOME.value, 2, 17, 12.5)
    problems = (
        ProcessProblem("ORC-PROCESS-BEHIND", "It is 70 s behind its input; 60 s are allowed.", "Look at its load."),
        ProcessProblem("ORC-OPEN-TRANSACTION", "A transaction is open."),
    )
    return {
        "process-running": record(ProcessState.RUNNING, **works, positions=positions),
        "process-unwell": record(
            ProcessState.RUNNING,
            **works,
            lag_s=70.25,
            problems=problems,
            open_transactions=(open_transaction,),
            positions=positions,
        ),
        "process-timekeeper": record(
            ProcessState.RUNNING,
            **works,
            lag_s=4.5,
            positions=(InputPosition(Topic.STATUS.value, 0, 40, 41, 4.5),),
            gate_ms=TIME - 500,
        ),
        "process-stopped": record(ProcessState.STOPPED),
        "process-failed": record(ProcessState.FAILED, problems=problems[:1]),
    }
