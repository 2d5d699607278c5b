"""Records that a busy cluster also sees: one that is no JSON, and an outcome of a batch that nobody registered."""

from __future__ import annotations

import json
import uuid

from confluent_kafka import Producer

from peers.options import PeerOptions
from peers.topics import OUTCOME, READY

_FLUSH_SECONDS = 10.0


def send_strays(options: PeerOptions, bootstrap_servers: str) -> None:
    """Write both, so that the orchestrator makes dead letters of them."""
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    producer.produce(options.real_name(READY), value=b'{"event_id": "cut off in the mid')
    batch_id = str(uuid.uuid4())
    data = {
        "event_name": "els.batch.phase.outcome",
        "batch_id": batch_id,
        "phase_name": "spellcheck",
        "phase_status": "completed_successfully",
        "processed_essays": [],
        "failed_essay_ids": [],
        "correlation_id": str(uuid.uuid4()),
    }
    envelope = {
        "event_id": str(uuid.uuid4()),
        "event_type": "huleedu.els.batch.phase.outcome.v1",
        "event_timestamp": "2026-01-01T00:00:00Z",
        "source_service": "essay-lifecycle-service",
        "correlation_id": data["correlation_id"],
        "data": data,
    }
    producer.produce(options.real_name(OUTCOME), value=json.dumps(envelope).encode())
    producer.flush(_FLUSH_SECONDS)
