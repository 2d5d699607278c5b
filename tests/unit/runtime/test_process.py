"""A process ends with one clear message and a code; signals are tried on processes of their own."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime import exit_codes
from schemas.errors import (
    BrokerError,
    ConfigurationError,
    NewerRecord,
    OlderRecord,
    OrchestratorError,
    StateError,
    TopicError,
    UnreadableRecord,
)
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, threading, time
from runtime.process import Process, run_process
from runtime.settings_loading import load_settings
from schemas.errors import BrokerError, StateError

def say(text):
    print(text, flush=True)

{work}

sys.exit(run_process("router", load_settings(metrics_port={port}, stop_timeout_s={stop_timeout_s}), work))
"""

Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts a process that does `work`."""
    running: list[subprocess.Popen[str]] = []

    def start(work: str, port: int = 0, stop_timeout_s: float = PATIENCE_S) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(work=work, port=port, stop_timeout_s=stop_timeout_s)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_work_that_returns_ends_with_0(started: Started) -> None:
    process = started("def work(process): process.log.info('done')")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert '"event": "stopped"' in errors


def test_an_error_is_one_message_with_code_and_next_step(started: Started) -> None:
    process = started(
        "def work(process): raise StateError('The state is foreign.', next_step='Use another directory.')"
    )
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.STATE
    assert errors.splitlines()[-1] == "router: ORC-STATE: The state is foreign. Next step: Use another directory."
    assert "Traceback" not in errors


def test_an_error_that_a_library_has_wrapped_is_found(started: Started) -> None:
    process = started(
        "def work(process):\n"
        "    try: raise BrokerError('It is away.', next_step='Wait.')\n"
        "    except BrokerError as error: raise RuntimeError('assignment failed') from error"
    )
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.BROKER
    assert errors.splitlines()[-1] == "router: ORC-BROKER: It is away. Next step: Wait."


def test_what_nobody_foresaw_has_a_code_too(started: Started) -> None:
    process = started("def work(process): raise ZeroDivisionError('by zero')")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.FAULT
    assert errors.splitlines()[-1].startswith("router: ORC-INTERNAL: ZeroDivisionError: by zero Next step:")
    assert '"exc_type": "ZeroDivisionError"' in errors


def test_a_taken_metrics_port_ends_the_start(started: Started) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = started("def work(process): say('working')", taken.getsockname()[1])
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.CONFIGURATION
    assert "router: ORC-PORT: " in errors
    assert not output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_work_in_order(started: Started, number: signal.Signals) -> None:
    process = started(
        "def work(process):\n"
        "    stop = threading.Event()\n"
        "    process.shutdown.runs(stop.set)\n"
        "    say('working')\n"
        "    stop.wait(3600)\n"
        "    say('in order')"
    )
    assert first_line(process) == "working"
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert output == "in order\n"
    assert process.returncode == 0


def test_a_stop_that_is_lost_is_repeated(started: Started) -> None:
    """As in the stream library, which forgets a stop that comes while it starts, and sets handlers of its own."""
    process = started(
        "import signal\n"
        "def work(process):\n"
        "    stop, asked = threading.Event(), []\n"
        "    signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "    process.shutdown.runs(lambda: stop.set() if len(asked) == 2 else asked.append(1))\n"
        "    say('working')\n"
        "    stop.wait(3600)\n"
        "    say('asked again')"
    )
    assert first_line(process) == "working"
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert output == "asked again\n"
    assert process.returncode == 0


def test_a_signal_during_a_blocked_start_ends_it(started: Started) -> None:
    process = started(
        "import ctypes\n"
        "def work(process):\n"
        "    say('starting')\n"
        "    ctypes.CDLL(None).sleep(3600); ctypes.CDLL(None).sleep(3600)"
    )
    assert first_line(process) == "starting"
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_a_stop_that_takes_longer_than_it_may_ends_on_the_spot_and_says_what_it_waited_for(started: Started) -> None:
    process = started(
        "def work(process):\n"
        "    process.shutdown.runs(lambda: None)\n"
        "    say('working')\n"
        "    threading.Event().wait(3600)",
        stop_timeout_s=0.5,
    )
    assert first_line(process) == "working"
    process.terminate()
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.FAULT
    assert "in work" in errors


def test_a_change_of_the_world_asks_to_be_started_again(started: Started) -> None:
    process = started(
        "def work(process):\n"
        "    stop = threading.Event()\n"
        "    process.shutdown.runs(stop.set)\n"
        "    process.restart('Topics appeared.')\n"
        "    stop.wait(3600)"
    )
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.RESTART
    assert "Topics appeared." in errors


def test_a_change_of_the_world_during_a_start_asks_to_be_started_again(started: Started) -> None:
    process = started("def work(process):\n    process.restart('Topics appeared.')\n    threading.Event().wait(3600)")
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == exit_codes.RESTART


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (ConfigurationError, 78),
        (TopicError, 72),
        (StateError, 65),
        (BrokerError, 69),
        (NewerRecord, 76),
        (OlderRecord, 78),
        (UnreadableRecord, 70),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[OrchestratorError], code: int) -> None:
    assert exit_codes.exit_code(kind("wrong", next_step="right")) == code
