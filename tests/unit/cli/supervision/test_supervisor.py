"""The supervisor keeps processes running, and tells when it cannot."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.supervision.supervisor import ProcessFailed, ProcessSpec, Supervisor
from tests.patience import await_that

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


def spec(name: str, program: str, **environment: str) -> ProcessSpec:
    return ProcessSpec(name=name, command=(sys.executable, "-c", program), environment=environment)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    events: list[str] = []
    with Supervisor([spec("sleeper", SLEEPER)], log_directory=tmp_path, on_event=events.append) as supervisor:
        await_that(lambda: supervisor.pid("sleeper"), "it runs")
        first = supervisor.kill("sleeper")
        await_that(lambda: supervisor.pid("sleeper") not in (0, first), "another one runs")
        assert supervisor.restarts == {"sleeper": 1}
        assert events == ["sleeper ended with 137; starting it again"]
        second = supervisor.pid("sleeper")
    assert gone(first)
    assert gone(second)


def test_a_process_that_leaves_stays_away_until_it_is_started(tmp_path: Path) -> None:
    with Supervisor([spec("a", SLEEPER), spec("b", SLEEPER)], log_directory=tmp_path) as supervisor:
        await_that(lambda: supervisor.pid("a") and supervisor.pid("b"), "both run")
        supervisor.leave("a")
        assert supervisor.pid("a") == 0
        assert supervisor.pid("b") != 0
        supervisor.start("a")
        await_that(lambda: supervisor.pid("a"), "it runs again")
        assert supervisor.restarts == {"a": 0, "b": 0}


def test_one_process_more_can_be_added(tmp_path: Path) -> None:
    with Supervisor([spec("a", SLEEPER)], log_directory=tmp_path) as supervisor:
        supervisor.add(spec("c", "import os; print(os.environ['SAYS'], flush=True); " + SLEEPER, SAYS="hello"))
        log = supervisor.log_path("c")
        await_that(lambda: log.exists() and log.read_text().startswith("hello"), "it has its environment")


def test_a_process_that_keeps_ending_is_given_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Supervisor([spec("broken", "raise SystemExit('cannot work')")], log_directory=tmp_path) as supervisor:
        await_that(lambda: supervisor.failure, "it is given up")
        with pytest.raises(ProcessFailed, match="cannot work"):
            supervisor.check()
        assert supervisor.restarts["broken"] == 4


def test_wrong_settings_are_not_tried_again(tmp_path: Path) -> None:
    program = "import sys; print('bad setting', flush=True); sys.exit(78)"
    with Supervisor([spec("broken", program)], log_directory=tmp_path) as supervisor:
        await_that(lambda: supervisor.failure, "it is given up")
        assert supervisor.restarts["broken"] == 0


def test_a_port_that_it_left_is_waited_for_and_one_that_it_never_had_is_not(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; runs = Path(os.environ['RUNS']); "
        "runs.open('a').write('x'); number = len(runs.read_text()); "
        "number == int(os.environ['TAKEN']) and sys.exit(print('ORC-PORT', flush=True) or 78); "
        "number == 1 and sys.exit(9); " + SLEEPER
    )
    left = spec("left", program, RUNS=str(tmp_path / "left"), TAKEN="2")
    taken = spec("taken", program, RUNS=str(tmp_path / "taken"), TAKEN="1")
    with Supervisor([left], log_directory=tmp_path / "logs") as supervisor:
        await_that(lambda: supervisor.restarts["left"] == 2, "it is started again once the port is free")
        assert supervisor.failure is None
        supervisor.add(taken)
        await_that(lambda: supervisor.failure, "it is given up")
        assert supervisor.restarts["taken"] == 0


def test_processes_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from cli.supervision.supervisor import *; "
        f"spec = ProcessSpec(name='s', command=(sys.executable, '-c', {SLEEPER!r})); "
        f"s = Supervisor([spec], log_directory=Path({str(tmp_path)!r})); s.__enter__()\n"
        "while not s.pid('s'): time.sleep(0.01)\n"
        "print(s.pid('s'), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        assert not gone(child)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    await_that(lambda: gone(child), "its process is gone")
