"""Every command and process tells a wrong setting by its name, with exit code 78, and connects to nothing."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from runtime import exit_codes
from runtime.settings import ENV_PREFIX

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[4]
COMMANDS = (
    ("router",),
    ("orchestrator",),
    ("projector",),
    ("timekeeper",),
    ("api",),
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
USE_THE_DATABASE = (("projector",), ("api",), ("run",))


def bos(command: Sequence[str], directory: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    given = {ENV_PREFIX + name: value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *command],
        cwd=directory,
        env={**inherited, "PYTHONPATH": str(ROOT), **given},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_a_wrong_client_setting_is_named(command: Sequence[str], tmp_path: Path) -> None:
    ended = bos(
        command,
        tmp_path,
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-513",
        KAFKA_SASL_USERNAME="orchestrator",
        KAFKA_SASL_PASSWORD="hush",
        KAFKA_SASL_PASWORD="hush",
    )
    assert ended.returncode == exit_codes.CONFIGURATION, ended.stderr
    assert f"ORC-CONFIG: {ENV_PREFIX}KAFKA_SASL_MECHANISM: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hush" not in ended.stderr


@pytest.mark.parametrize("command", USE_THE_DATABASE, ids="-".join)
def test_a_wrong_database_port_is_named(command: Sequence[str], tmp_path: Path) -> None:
    ended = bos(
        command, tmp_path, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", PROJECTION_URL="postgresql://u:hush@localhost:54x32/b"
    )
    assert ended.returncode == exit_codes.CONFIGURATION, ended.stderr
    assert f"ORC-CONFIG: {ENV_PREFIX}PROJECTION_URL: " in ended.stderr
    assert "hush" not in ended.stderr


@pytest.mark.parametrize("command", [("topics", "plan"), ("router",)], ids="-".join)
def test_a_misspelt_variable_is_told(command: Sequence[str], tmp_path: Path) -> None:
    ended = bos(
        command,
        tmp_path,
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        STARTUP_TIMEOUT_S="0.1",
        KAFKA_SASL_PASWORD="hush",
    )
    assert f"{ENV_PREFIX}KAFKA_SASL_PASWORD" in ended.stderr
    assert f"The nearest is {ENV_PREFIX}KAFKA_SASL_PASSWORD." in ended.stderr
