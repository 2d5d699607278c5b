"""`bos simulate` judges the ends of batches whose phases HuleEdu's peers do alone."""

from pathlib import Path

import pytest

from cli.commands.simulate import has_workers
from runtime.settings_loading import load_settings

EXAMPLE = Path(__file__).parents[4] / "examples" / "pipelines.toml"


@pytest.mark.parametrize(("file", "expected"), [(EXAMPLE, True), (None, False)])
def test_batches_that_workers_do_too_are_not_judged_by_the_peers_alone(
    monkeypatch: pytest.MonkeyPatch, file: Path | None, *, expected: bool
) -> None:
    if file is not None:
        monkeypatch.setenv("BATCH_ORCHESTRATOR_SERVICE_PIPELINES_FILE", str(file))
    assert has_workers(load_settings()) is expected
