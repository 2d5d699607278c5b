"""Facts about the host of a measurement, and a wait until it is idle."""

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import psutil

_LIBRARIES = ("quixstreams", "confluent-kafka", "rocksdict", "msgspec", "pydantic", "fastapi", "uvicorn")
_LOOK_S = 5.0


def facts() -> dict[str, str]:
    """Return the host's facts by their names."""
    return {
        "cores": f"{psutil.cpu_count()} ({len(os.sched_getaffinity(0))} for this process)",
        "CPU": _cpu_model(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - no path of ours
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def await_quiet(below: float, seconds: float, tell: Callable[[str], None]) -> None:
    """Wait until the load average of the last minute is below `below`, but no longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while os.getloadavg()[0] >= below and time.monotonic() < deadline:
        tell(f"load {os.getloadavg()[0]:.2f}; waiting until it is below {below:g}")
        time.sleep(_LOOK_S)
