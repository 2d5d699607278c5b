"""Two runs side by side."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench.comparison import compare, main
from bench.results import Results, write


def run(tmp_path: Path, name: str, holds: list[str], **figures: float) -> str:
    path = tmp_path / f"{name}.json"
    write(path, Results(), figures=figures, holds=holds)
    return str(path)


def compared(*files: str) -> tuple[int, str]:
    out = StringIO()
    return main(files, Console(file=out, width=120)), out.getvalue()


def test_ratios_hold_within_ten_percent_and_times_may_drift(tmp_path: Path) -> None:
    first = run(tmp_path, "a", ["ratio"], ratio=0.80, cpu_us=100)
    second = run(tmp_path, "b", ["ratio"], ratio=0.87, cpu_us=180)
    code, text = compared(first, second)
    assert code == 0
    assert "1.80" in text
    assert "all hold" in text


def test_a_ratio_that_has_changed_is_named_and_fails(tmp_path: Path) -> None:
    first = run(tmp_path, "a", ["ratio"], ratio=0.80)
    code, text = compared(first, run(tmp_path, "b", ["ratio"], ratio=0.89))
    assert code == 1
    assert "changed: ratio" in text


def test_what_only_one_run_has_is_not_compared(tmp_path: Path) -> None:
    first, second = run(tmp_path, "a", [], one=1, both=2), run(tmp_path, "b", [], both=2, other=3)
    found = compare(*(json.loads(Path(path).read_text()) for path in (first, second)))
    assert [each.name for each in found] == ["both"]


@pytest.mark.parametrize("content", ["{}", "[]", "no json"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    other = tmp_path / "other.json"
    other.write_text(content)
    code, text = compared(run(tmp_path, "a", []), str(other))
    assert code == 2
    assert "cannot be compared" in text
