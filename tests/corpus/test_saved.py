"""Batches that were saved as tests, decided again. tests/corpus/saved_batches holds them."""

import json
from pathlib import Path

import msgspec
import pytest

from state.replay import replay
from tests.corpus.saved import main, parse, verdict

FILES = sorted((Path(__file__).parent / "saved_batches").glob("*.jsonl"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_saved_batch_is_decided_as_it_was(file: Path) -> None:
    found = parse(file.read_bytes())
    assert verdict(replay(found.events())) == []


def test_a_decision_that_is_another_one_now_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *rest = FILES[0].read_bytes().splitlines()
    record = json.loads(second)
    record["history"] = record["history"].replace('"registered"', '"batch_paused"')
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(b"\n".join([first, msgspec.json.encode(record), *rest]))
    assert main([str(changed)]) == 1
    assert "reason: published" in capsys.readouterr().out
    assert main([str(FILES[0])]) == 0
    assert "every decision as published" in capsys.readouterr().out


def test_a_part_of_a_file_is_refused() -> None:
    content = FILES[0].read_bytes().splitlines()
    with pytest.raises(ValueError, match="no whole fixture"):
        parse(b"\n".join(content[:-1]))
