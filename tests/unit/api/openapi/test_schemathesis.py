"""Requests made up from the OpenAPI document, sent to the real application, and every answer held against it.

`make test` takes a sample; with EXAMPLES (`make schemathesis`) so many requests are made up for each operation, and the
HEAD of every GET gets all that its GET gets.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import msgspec.toml
import pytest

from tests.unit.api.openapi.credentials import Credentials
from tests.unit.api.serving import served

HERE = Path(__file__).parent
BOUND_S = 1_500.0
EXAMPLES = os.environ.get("EXAMPLES", "")
SAMPLED = {"max-examples": 8}
OF_A_HEAD = {"include-method": "HEAD", "generation": {"max-examples": 2}, "phases": {"coverage": {"enabled": False}}}
"""A sample of a HEAD, which runs the code of its GET, and whose description is made from that of its GET."""

pytestmark = pytest.mark.slow


def configured(directory: Path, *, without_coverage: bool = False) -> Path:
    """Return the file with the configuration of a run."""
    config: dict[str, Any] = tomllib.loads((HERE / "schemathesis.toml").read_text())
    if EXAMPLES:
        config["generation"]["max-examples"] = int(EXAMPLES)
    else:
        config["generation"] |= SAMPLED
        config["operations"] = [OF_A_HEAD]
        if without_coverage:
            config["phases"]["coverage"] = {"enabled": False}
    file = directory / "schemathesis.toml"
    file.write_bytes(msgspec.toml.encode(config))
    return file


def run(url: str, config: Path, credentials: list[str | None]) -> str:
    """Make requests up; return what was told. Fails where an answer is not as the document says.

    The document is read with the first of the credentials.
    """
    headers = {"Authorization": f"Bearer {credentials[0]}"} if credentials else {}
    document = config.with_name("openapi.json")
    document.write_bytes(httpx.get(f"{url}/openapi.json", headers=headers).raise_for_status().content)
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.unit.api.openapi.schemathesis_hooks",
        "BOS_TEST_CREDENTIALS": json.dumps(credentials),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(config)]
    done = subprocess.run(
        [*command, "run", str(document), "--url", url, "--checks", "all"],
        env=environment,
        cwd=HERE.parents[3],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout, "all phases have run"
    return done.stdout


def test_no_made_up_request_is_answered_as_the_document_does_not_say(tmp_path: Path) -> None:
    with served() as url:
        told = run(url, configured(tmp_path), [])
    assert "Coverage" in told


def test_nor_is_one_with_any_credential_or_none(tmp_path: Path) -> None:
    """The sample leaves out values at the bounds: what is refused for its values is so for every caller."""
    credentials = Credentials(tmp_path)
    with served(**credentials.settings) as url:  # type: ignore[arg-type]
        run(
            url,
            configured(tmp_path, without_coverage=True),
            [*credentials.valid.values(), *credentials.invalid.values()],
        )
