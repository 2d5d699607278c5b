"""What happens to a batch of a cluster in memory: its registration, and events of its peers."""

from schemas.internal.codec import FORMAT_VERSION, LEAST_READER
from schemas.internal.events import Body, EssayRef, EssaysReady, InboxRecord, Origin, OutcomeStatus, PhaseConcluded
from tests.unit.api.bodies import seed_body
from tests.unit.api.memory import World


async def registered(api: World) -> str:
    answer = await api.client.post("/v1/batches/register", json=seed_body())
    batch_id: str = answer.json()["batch_id"]
    return batch_id


def happen(api: World, batch_id: str, body: Body) -> None:
    origin = Origin(event_id=f"event-{len(api.cluster.inbox)}", event_type="test", topic="test", partition=0, offset=0)
    record = InboxRecord(writer=FORMAT_VERSION, least_reader=LEAST_READER, batch_id=batch_id, origin=origin, body=body)
    api.cluster.decide_inbox(record)


def ready(api: World, batch_id: str) -> None:
    slots = api.cluster.batches[batch_id].slots
    happen(api, batch_id, EssaysReady(essays=tuple(EssayRef(slot, f"text-{slot}") for slot in slots)))


def failed(phase: str) -> PhaseConcluded:
    return PhaseConcluded(phase=phase, status=OutcomeStatus.FAILED, essays=(), failed_essay_ids=())
