"""The processes of the browser tests."""

from typing import Any

from schemas.errors import Code
from schemas.internal.processes import InputPosition, OpenTransaction, ProcessProblem, ProcessRecord
from schemas.topics import Topic, TopicTable
from tests.browser.letters import OUTCOME, REQUESTS
from tests.browser.stories import NOW_MS
from tests.unit.api.memory import process_record

_INBOX = TopicTable().name(Topic.INBOX)


def processes() -> list[ProcessRecord]:
    """Return the reports of all processes: two orchestrators, one of which restores its state."""
    return [
        _process("router", "0", positions=_at(REQUESTS, 7_302) + _at(OUTCOME, 6_107), partitions=8),
        _process("orchestrator", "0", positions=_at(_INBOX, 21_151, numbers=(0, 1)), partitions=2),
        _process(
            "orchestrator",
            "1",
            restored=False,
            restored_percent=63,
            host="host-2",
            started_ms=NOW_MS - 42_000,
            settings_digest="cd" * 32,
            lag_s=8.1,
            partitions=2,
            positions=_at(_INBOX, 20_549, lag=602, numbers=(2, 3)),
            problems=(
                ProcessProblem(
                    Code.NOT_READY,
                    "Local state is being restored: 63 % of its changelogs have been read.",
                    "Wait a moment; if it persists, read the process's log.",
                ),
            ),
        ),
        _process("projector", "0", positions=_at("huleedu.batch_orchestrator.history.v1", 21_140), partitions=12),
        _process(
            "timekeeper",
            "0",
            partitions=4,
            positions=_at(_INBOX, 21_151),
            gate_ms=NOW_MS - 1_900,
            open_transactions=(OpenTransaction(_INBOX, 3, 20_549, 2.4),),
        ),
    ]


def _process(kind: str, instance: str, **facts: Any) -> ProcessRecord:
    given = {"instance": instance, "start_id": f"{kind}-{instance}", "started_ms": NOW_MS - 86_400_000 * 3}
    return process_record(kind, **given | {"time_ms": NOW_MS - 2_000} | facts)


def _at(
    topic: str, position: int, *, lag: int = 0, numbers: tuple[int, ...] = (0, 1, 2, 3)
) -> tuple[InputPosition, ...]:
    seconds = {2: 8.1, 3: 2.4}
    return tuple(
        InputPosition(topic, number, position, position + lag, seconds.get(number, 0.0) if lag else 0.0)
        for number in numbers
    )
