"""The supervisor keeps processes running, and tells when it cannot."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.supervision.log_tail import last_lines
from cli.supervision.owned_process import OwnedProcess
from cli.supervision.supervisor import ProcessFailed, ProcessSpec, Supervisor
from tests.patience import PATIENCE_S, await_that

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


def test_a_process_that_does_not_run_cannot_be_killed(tmp_path: Path) -> None:
    with Supervisor([spec("a", SLEEPER), spec("b", "raise SystemExit(78)")], log_directory=tmp_path) as supervisor:
        supervisor.leave("a")
        with pytest.raises(ProcessFailed, match="a does not run"):
            supervisor.kill("a", patience_s=0)
        await_that(lambda: supervisor.failure, "b is given up")
        with pytest.raises(ProcessFailed, match="b cannot work with its settings"):
            supervisor.kill("b")
        with pytest.raises(ProcessFailed, match="a does not run"):
            supervisor.kill("a", patience_s=0)


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


@pytest.mark.slow
def test_a_process_that_keeps_ending_is_started_again_after_growing_pauses(tmp_path: Path) -> None:
    events: list[str] = []
    broken = spec("broken", "raise SystemExit('cannot work')")
    with Supervisor([broken, spec("b", SLEEPER)], log_directory=tmp_path, on_event=events.append) as supervisor:
        await_that(lambda: supervisor.restarts["broken"] == 7, "it was started again seven times")
        other = supervisor.pid("b")
        supervisor.check()
        assert not supervisor.hopeless
    assert gone(other)
    assert supervisor.restarts["b"] == 0
    again = "broken ended with 1; starting it again"
    assert events[:7] == [again, *(f"{again} in {pause} s" for pause in ("0.5", "1", "2", "4", "5", "5"))]


def test_a_process_that_cannot_be_started_for_now_is_tried_again(tmp_path: Path) -> None:
    events: list[str] = []
    in_the_way = tmp_path / "a.log"
    in_the_way.mkdir()
    with Supervisor([spec("a", SLEEPER)], log_directory=tmp_path, on_event=events.append) as supervisor:
        await_that(lambda: supervisor.restarts["a"], "a start has failed")
        in_the_way.rmdir()
        await_that(lambda: supervisor.pid("a"), "it runs")
    assert events[0].startswith("a could not be started ([Errno 21] Is a directory")


def test_wrong_settings_are_not_tried_again_and_the_others_go_on(tmp_path: Path) -> None:
    program = "import sys; print('bad setting', flush=True); sys.exit(78)"
    with Supervisor([spec("broken", program), spec("b", SLEEPER)], log_directory=tmp_path) as supervisor:
        await_that(lambda: supervisor.failure, "it is given up")
        await_that(lambda: supervisor.pid("b"), "the other runs")
        assert supervisor.restarts["broken"] == 0
        assert not supervisor.hopeless
        with pytest.raises(ProcessFailed, match="bad setting"):
            supervisor.check()
        first = supervisor.kill("b")
        await_that(lambda: supervisor.pid("b") not in (0, first), "the other is started again")


def test_nothing_is_left_to_keep_where_every_process_has_wrong_settings(tmp_path: Path) -> None:
    with Supervisor([spec("broken", "raise SystemExit(78)")], log_directory=tmp_path) as supervisor:
        await_that(lambda: supervisor.hopeless, "there is no hope")


def test_a_log_is_put_aside_when_it_has_grown_and_two_old_ones_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import sys\nfor n in range(5000): print('line', n, '.' * 90)"
    OwnedProcess((sys.executable, "-c", program), log_path=log, log_bytes=100_000).wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"] or not log.exists()
    assert all(path.stat().st_size < 200_000 for path in tmp_path.iterdir())
    assert last_lines(log, 3)[-1].startswith("line 4999 ")
    assert len(last_lines(log, 3)) == 3


def test_a_port_that_it_left_is_waited_for_and_one_that_it_never_had_is_not(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; runs = Path(os.environ['RUNS']); "
        "runs.open('a').write('x'); number = len(runs.read_text()); "
        "number == int(os.environ['TAKEN']) and sys.exit(print('ORC-PORT', flush=True) or 78); "
        "number == 1 and sys.exit(9); " + SLEEPER
    )
    left = spec("left", program, RUNS=str(tmp_path / "left"), TAKEN="2")
    taken = spec("taken", program, RUNS=str(tmp_path / "taken"), TAKEN="1")
    with Supervisor([left], log_directory=tmp_path / "logs", port_seconds=0) as supervisor:
        await_that(lambda: supervisor.restarts["left"] == 2, "it is started again once the port is free")
        assert supervisor.failure is None
        supervisor.add(taken)
        await_that(lambda: supervisor.failure, "it is given up")
        assert supervisor.restarts["taken"] == 0


def test_a_port_that_a_killed_supervisor_left_behind_is_waited_for_at_the_first_start(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; runs = Path(os.environ['RUNS']); "
        "runs.open('a').write('x'); len(runs.read_text()) < 3 and sys.exit(print('ORC-PORT', flush=True) or 78); "
        + SLEEPER
    )
    events: list[str] = []
    held = spec("held", program, RUNS=str(tmp_path / "held"))
    with Supervisor(
        [held], log_directory=tmp_path / "logs", on_event=events.append, port_seconds=PATIENCE_S
    ) as supervisor:
        await_that(lambda: (tmp_path / "held").exists() and (tmp_path / "held").read_text() == "xxx", "it runs")
        assert supervisor.failure is None
    assert events[0] == "held found its port held by another process; starting it again"


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
