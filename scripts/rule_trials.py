"""Trials of rules in forks of this process: each ends with the test that failed without the rule."""

import gc
import os
import selectors
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import IO

import pytest
from rule_patch import STATE, Patch, Place, live_functions, place

TESTS = "tests/unit/state"
SEEDS = 60
"""Histories that a rule of the simulation is tried on."""
WORKERS = os.cpu_count() or 1
PYTEST = ("-xq", "--tb=line", "--color=no", "--noconftest", "-pno:cacheprovider", "-ppytest_timeout", "--timeout=60")
ELSEWHERE = ("--ignore=tests/unit/state/projection",)
"""Tests of the read model hold no rule of the decision."""
SLOW = ("-k", "not another_process")
"""Starts further processes, and holds no rule that another test does not hold."""
ARGUMENTS = [*PYTEST, *ELSEWHERE, *SLOW, TESTS]
SURVIVED, UNFIT = "SURVIVED", "UNFIT"
AT_IMPORT = "AT IMPORT"
"""The result of a patch that must be imported."""

UNTOUCHED = -1

Work = Callable[[IO[str]], object]
"""Writes its result to the file that it is given."""


def fork(work: Work) -> tuple[int, IO[str]]:
    """Do `work` in a fork without output; return its process id, and the file to read its result from."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, os.fdopen(reading, encoding="utf-8")
    try:
        os.close(reading)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nowhere, descriptor)
        with os.fdopen(writing, "w", encoding="utf-8") as told:
            try:
                work(told)
            except BaseException:  # noqa: BLE001 - the fork ends here, whatever happened
                told.write(f"{UNFIT}: {traceback.format_exc().strip().splitlines()[-1]}")
    finally:
        os._exit(0)


def in_forks(works: Sequence[Work]) -> Iterator[tuple[int, str]]:
    """Do each work in a fork, `WORKERS` at a time; yield its number and its result, as they end."""
    waiting = list(enumerate(works))[::-1]
    with selectors.DefaultSelector() as running:
        while waiting or running.get_map():
            while waiting and len(running.get_map()) < WORKERS:
                number, work = waiting.pop()
                process, told = fork(work)
                running.register(told, selectors.EVENT_READ, (number, process))
            for key, _ in running.select():
                number, process = key.data
                result = key.fileobj.read()
                running.unregister(key.fileobj)
                key.fileobj.close()
                os.waitpid(process, 0)
                yield number, result or f"{UNFIT}: the process crashed"


class FirstFailure:
    """A plugin of pytest: writes the first test that fails, or `SURVIVED`, and ends the process."""

    def __init__(self, told: IO[str]) -> None:
        self._told = told

    def end(self, result: str) -> None:
        """Write the result."""
        self._told.write(result)
        self._told.flush()
        os._exit(0)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported is no test that misses a rule."""
        if report.failed:
            self.end(f"{UNFIT}: {str(report.longrepr).strip().splitlines()[-1]}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A failure in the test itself is the result."""
        test = report.nodeid.removeprefix(f"{TESTS}/")
        if report.failed:
            self.end(test if report.when == "call" else f"{UNFIT}: {report.when} of {test}")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """No test has failed."""
        self.end(SURVIVED if exitstatus == 0 else f"{UNFIT}: pytest ends with {exitstatus}")


class TrialsOfCollected:
    """A plugin of pytest: tries each patch in a fork of the process that has collected the tests.

    Writes a line for each, with its number and result. `AT_IMPORT` is the result of a patch that cannot be tried so.
    The first line has the number `UNTOUCHED` and the result without any patch; unless it is `SURVIVED`, it is the last.
    """

    def __init__(self, patches: Sequence[Patch], told: IO[str]) -> None:
        self._patches = patches
        self._told = told
        self._called: set[Place] = set()
        sys.setprofile(self._see)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(STATE)):
            self._called.add(place(frame.f_code))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Try all patches, in place of running the tests once."""
        sys.setprofile(None)
        live = live_functions()
        gc.freeze()

        def trial(patch: Patch | None) -> Work:
            def run(told: IO[str]) -> None:
                if patch is not None and not patch.exchange(live, self._called):
                    told.write(AT_IMPORT)
                    return
                ending = FirstFailure(told)
                session.config.pluginmanager.unregister(self)
                session.config.pluginmanager.register(ending)
                session.config.hook.pytest_runtestloop(session=session)
                ending.end(SURVIVED)

            return run

        [(_, untouched)] = in_forks([trial(None)])
        self._tell(UNTOUCHED, untouched)
        if untouched == SURVIVED:
            for number, result in in_forks([trial(patch) for patch in self._patches]):
                self._tell(number, result)
        os._exit(0)

    def _tell(self, number: int, result: str) -> None:
        self._told.write(f"{number} {result}\n")
        self._told.flush()


def collected_trials(patches: Sequence[Patch]) -> Iterator[tuple[int, str]]:
    """Try each patch on tests that are collected once; yields what `TrialsOfCollected` writes."""
    process, told = fork(lambda out: pytest.main(ARGUMENTS, plugins=[TrialsOfCollected(patches, out)]))
    with told:
        for line in told:
            number, result = line.rstrip("\n").split(" ", 1)
            yield int(number), result
    os.waitpid(process, 0)


def importing_trials(patches: Sequence[Patch]) -> Iterator[tuple[int, str]]:
    """Try each patch in a process that imports it, on the tests or on the simulation."""

    def trial(patch: Patch) -> Work:
        def run(told: IO[str]) -> None:
            patch.import_without()
            if patch.simulated:
                told.write(_simulate())
            else:
                pytest.main(ARGUMENTS, plugins=[FirstFailure(told)])

        return run

    return in_forks([trial(patch) for patch in patches])


def _simulate() -> str:
    from tests.simulation.running import run_seeds  # noqa: PLC0415 - imports the patched module

    _, failures = run_seeds(range(1, SEEDS + 1), most=1)
    return failures[0].splitlines()[0].removeprefix("FAILED: ") if failures else SURVIVED
