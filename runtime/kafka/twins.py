"""Tells whether another process runs with this one's name, by what it reports about itself.

Kafka fences the older of two members or producers of one name. That alone is no proof of another process: requests that
a broker answers late, after it was frozen, can fence a process off by a request of its own. A live process of the same
name keeps writing records under the same key of the processes topic, and those prove it.
"""

import time
from collections.abc import Mapping
from typing import Any

from runtime.kafka.partition_reader import read_to_ends
from schemas.errors import OrchestratorError
from schemas.internal.processes import ProcessState
from schemas.internal.records import decode_process

_READ_TIMEOUT_S = 3.0
_LOOK_S = 0.5
_SPAN_MS = 1_000
"""Time between the first and the last report of a process that is alive. Late requests of one that has ended arrive
together, when a broker goes on."""


def twin_reports(kafka: Mapping[str, Any], topic: str, name: str, start_id: str, *, wait_s: float) -> bool:
    """Return whether a process with another start id has reported under `name` for a second, after this one began.

    Waits up to `wait_s` for a second report where there is a first. False where Kafka does not answer.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            times = _reports_of_others(kafka, topic, name, start_id)
        except (OrchestratorError, TimeoutError):
            return False
        if times and max(times) - min(times) >= _SPAN_MS:
            return True
        if not times or time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_S)


def _reports_of_others(kafka: Mapping[str, Any], topic: str, name: str, start_id: str) -> list[int]:
    """Return the times (Unix milliseconds) of running processes' reports under `name`, behind the first of this one."""
    found = [
        decode_process(record.value)
        for record in read_to_ends(kafka, (topic,), group="batch-orchestrator-twins", timeout_s=_READ_TIMEOUT_S)
        if record.key == name.encode() and record.value is not None
    ]
    began = next((index for index, one in enumerate(found) if one.start_id == start_id), len(found))
    others = [one for one in found[began:] if one.start_id != start_id and one.state is ProcessState.RUNNING]
    newest = others[-1].start_id if others else ""
    return [one.time_ms for one in others if one.start_id == newest]
