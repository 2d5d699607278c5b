"""A signal is obeyed from the first moment of a command, also by process 1, which has no defaults."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
_NAMESPACE = ("unshare", "--pid", "--fork")


def _can_be_process_one() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*_NAMESPACE, "true"], check=False).returncode == 0


def _run(program: str, *prefix: str) -> "subprocess.CompletedProcess[str]":
    command = [*prefix, sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize("prefix", [(), _NAMESPACE if _can_be_process_one() else ()])
def test_sigterm_ends_a_command_that_still_imports(prefix: tuple[str, ...]) -> None:
    program = (
        "import cli.early_signals, os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(0.1)\n"
        "print('still there')"
    )
    done = _run(program, *prefix)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stdout == ""


def test_it_comes_before_everything_that_takes_time() -> None:
    done = _run(
        "import sys, cli.main; names = list(sys.modules); print(names.index('cli.early_signals'))\n"
        "print(min(names.index(each) for each in ('typer', 'runtime.exit_codes', 'schemas.errors')))"
    )
    early, first = (int(line) for line in done.stdout.split())
    assert early < first


def test_a_command_that_cleans_up_is_interrupted() -> None:
    program = (
        "import os, signal\n"
        "from cli.early_signals import interrupt_on_sigterm\n"
        "interrupt_on_sigterm()\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    signal.pause()\n"
        "except KeyboardInterrupt:\n"
        "    print('cleaned up')"
    )
    assert _run(program).stdout == "cleaned up\n"
