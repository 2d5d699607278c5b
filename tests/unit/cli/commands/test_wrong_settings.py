"""Every command and process tells a wrong setting by its name, with exit code 78, and connects to nothing."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from cli.main import main
from runtime import exit_codes
from runtime.settings import ENV_PREFIX
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[4]
PROCESSES = [
    pytest.param((name,), marks=pytest.mark.slow)
    for name in ("router", "orchestrator", "projector", "timekeeper", "api")
]
"""They arrange for signals before anything else, and so need a process of their own."""
COMMANDS = (
    *PROCESSES,
    ("run",),
    ("dev",),
    ("demo",),
    ("simulate",),
    ("topics", "plan"),
    ("topics", "apply"),
    ("topics", "check"),
    ("inputs", "check"),
    ("inputs", "resume", "--from", "earliest"),
)
"""Every command that reads settings of the Kafka clients."""
USE_THE_DATABASE = (PROCESSES[2], PROCESSES[4], ("run",))


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    errors: str


Bos = Callable[..., Ended]


@pytest.fixture
def bos(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Bos]:
    """Run a command in a directory of its own and with these settings alone; in this process, if it is none itself."""

    def run(command: Sequence[str], **settings: str) -> Ended:
        for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
            monkeypatch.delenv(name)
        for name, value in settings.items():
            monkeypatch.setenv(ENV_PREFIX + name, value)
        monkeypatch.chdir(tmp_path)
        if command in [one.values[0] for one in PROCESSES]:
            monkeypatch.setenv("PYTHONPATH", str(ROOT))
            argv = [sys.executable, "-m", "cli.main", *command]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
            return Ended(done.returncode, done.stderr)
        monkeypatch.setattr(sys, "argv", ["bos", *command])
        with pytest.raises(SystemExit) as ended:
            main()
        said, errors = ended.value.code, capfd.readouterr().err
        return Ended(1, f"{errors}{said}") if isinstance(said, str) else Ended(int(said or 0), errors)

    before = structlog.get_config()
    yield run
    structlog.configure(**before)


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_a_wrong_client_setting_is_named(command: Sequence[str], bos: Bos) -> None:
    ended = bos(
        command,
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-513",
        KAFKA_SASL_USERNAME="orchestrator",
        KAFKA_SASL_PASSWORD="hush",
        KAFKA_SASL_PASWORD="hush",
    )
    assert ended.code == exit_codes.CONFIGURATION, ended.errors
    assert f"ORC-CONFIG: {ENV_PREFIX}KAFKA_SASL_MECHANISM: " in ended.errors
    assert "Traceback" not in ended.errors
    assert "hush" not in ended.errors


@pytest.mark.parametrize("command", USE_THE_DATABASE, ids="-".join)
def test_a_wrong_database_port_is_named(command: Sequence[str], bos: Bos) -> None:
    ended = bos(command, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", PROJECTION_URL="postgresql://u:hush@localhost:54x32/b")
    assert ended.code == exit_codes.CONFIGURATION, ended.errors
    assert f"ORC-CONFIG: {ENV_PREFIX}PROJECTION_URL: " in ended.errors
    assert "hush" not in ended.errors


@pytest.mark.parametrize("command", [("topics", "plan"), PROCESSES[0]], ids="-".join)
def test_a_misspelt_variable_is_told(command: Sequence[str], bos: Bos) -> None:
    ended = bos(
        command,
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        STARTUP_TIMEOUT_S="0.1",
        KAFKA_SASL_PASWORD="hush",
    )
    assert f"{ENV_PREFIX}KAFKA_SASL_PASWORD" in ended.errors
    assert f"The nearest is {ENV_PREFIX}KAFKA_SASL_PASSWORD." in ended.errors
