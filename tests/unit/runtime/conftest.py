"""Settings are read from the environment: every test here starts with an empty one."""

import os
from pathlib import Path

import pytest

from runtime.settings import ENV_PREFIX


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(ENV_PREFIX) or name in {"LOG_LEVEL", "KAFKA_BOOTSTRAP_SERVERS"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
