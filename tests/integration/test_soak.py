"""A small soak: batches from registration to purge on the whole product, after which nothing of them is left."""

from pathlib import Path
from uuid import uuid4

from rocksdict import AccessType, Rdict

from bench.soak import Soak, curve_table
from cli.broker import Kafka
from tests.patience import PATIENCE_S

BATCHES = 60


def stored_keys(directory: Path) -> list[object]:
    """Return the keys of every store under the state directories of a stack that has ended."""
    stores = {path.parent for path in directory.glob("orchestrator-*/**/CURRENT")}
    assert stores, "the stores are where they are looked for"
    found: list[object] = []
    for path in stores:
        store = Rdict(str(path), access_type=AccessType.read_only())
        try:
            found += store.keys()
        finally:
            store.close()
    return found


def test_nothing_is_left_of_batches_that_were_purged(kafka: Kafka, tmp_path: Path) -> None:
    said: list[str] = []
    soak = Soak(kafka, tmp_path, f"soak{uuid4().hex[:8]}", said.append)
    result = soak.run(batches=BATCHES, per_second=BATCHES, patience_s=PATIENCE_S)
    assert max(sample.sizes["changelog keys"] for sample in result.samples) == BATCHES, "they were there before"
    assert max(sample.sizes["projection batches"] for sample in result.samples) == BATCHES
    assert result.left == dict.fromkeys(result.left, 0), "\n".join(said)
    assert stored_keys(tmp_path / "soak") == []
    assert curve_table(result).row_count > len(result.left)
