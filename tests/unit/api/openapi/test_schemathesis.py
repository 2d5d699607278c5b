"""Requests made up from the OpenAPI document, sent to the real application, and every answer held against it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.api.serving import served

HERE = Path(__file__).parent
BOUND_S = 1_500.0
"""It takes some minutes."""


@pytest.mark.slow
def test_no_made_up_request_is_answered_as_the_document_does_not_say() -> None:
    hooks = "tests.unit.api.openapi.schemathesis_hooks"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(HERE / "schemathesis.toml")]
    with served() as url:
        done = subprocess.run(
            [*command, "run", f"{url}/openapi.json", "--checks", "all"],
            env={**os.environ, "SCHEMATHESIS_HOOKS": hooks, "PYTHONWARNINGS": "ignore"},
            cwd=HERE.parents[3],
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout, "all phases have run"
