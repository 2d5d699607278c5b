"""Replays the committed inbox of a history on empty state: it must lead to the live state byte for byte."""

from schemas.errors import UnreadableRecord
from state.codec import decode_batch, encode_batch
from tests.simulation.auditor import Auditor
from tests.simulation.checks import require
from tests.simulation.modelled_log import Log, Partition, event_at
from tests.simulation.orchestrator import PoisonError
from topology.orchestrator.processor import Decide


def replay(log: Log, auditor: Auditor, decide: Decide) -> None:
    """Raise `Mismatch` where the live state is not what its inbox leads to."""
    for partition in log.partitions:
        store = _replayed(partition, auditor, decide)
        require(store == partition.store, "replay equals the live state byte for byte", partition.number)
        compacted: dict[bytes, bytes] = {}
        for key, value in partition.changelog:
            if value is None:
                compacted.pop(key, None)
            else:
                compacted[key] = value
        require(compacted == store, "the changelog equals the live state", partition.number)


def _replayed(partition: Partition, auditor: Auditor, decide: Decide) -> dict[bytes, bytes]:
    store: dict[bytes, bytes] = {}
    for offset in range(partition.committed):
        key = partition.inbox[offset].key
        try:
            event = event_at(partition, offset)
        except UnreadableRecord:
            continue
        if key != event.batch_id.encode():
            continue
        stored = store.get(key)
        before = None if stored is None else decode_batch(stored)
        try:
            decision = auditor.redecided(partition.number, offset, decide, before, event)
        except PoisonError:
            continue
        if decision.batch is before:
            continue
        if decision.batch is None:
            store.pop(key, None)
        else:
            store[key] = encode_batch(decision.batch)
    return store
