"""When the peers' events go out, how often, and in what envelope."""

from __future__ import annotations

from peers.batch import Batch
from peers.envelope import Send, encode
from peers.options import PeerOptions
from peers.provisioning import Event
from peers.topics import READY

_CJ_OUTCOME = "outcome:cj_assessment"


class Sender:
    """Turns events into timed records, under the options' latencies, repeats and keys."""

    def __init__(self, options: PeerOptions) -> None:
        """Keep the options."""
        self._options = options

    def answer_at(self, batch: Batch, what: str, now: float) -> float:
        """When the answer `what` to a message read at `now` is due."""
        extra = batch.chance.delay(f"reorder:{what}", (0.0, self._options.reorder_spread))
        return now + batch.chance.delay(what, self._options.latency) + extra

    def sends(self, batch: Batch, event: Event) -> list[Send]:
        """The event's record, and by chance its repeat."""
        genuine = self._send(batch, event, batch.chance.event_id(event.what), event.at)
        stream = batch.chance.stream(f"repeat:{event.what}")
        if stream.random() >= self._options.repeat_rate:
            return [genuine]
        # A re-published CJ result and a second ready event come under new ids, in the original too.
        renewed = (event.topic == READY or event.what.startswith(_CJ_OUTCOME)) and stream.random() < 0.5
        event_id = batch.chance.event_id(f"{event.what}:again" if renewed else event.what)
        return [genuine, self._send(batch, event, event_id, event.at + stream.uniform(*self._options.repeat_delay))]

    def _send(self, batch: Batch, event: Event, event_id: str, at: float) -> Send:
        topic = self._options.real_name(event.topic)
        value = encode(
            self._options.era,
            event_id=event_id,
            event_type=topic,
            at=event.at,
            correlation_id=event.correlation_id,
            data=event.data,
        )
        return Send(at, topic, batch.batch_id.encode() if self._options.sends_keys else None, value)
