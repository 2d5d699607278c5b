"""Keeps a development cluster running: a broker that ends by itself is started again on its data and its port."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from cli.broker.dev_broker import DevBroker
from schemas.errors import BrokerError

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
"""Between two attempts to start a broker that does not come up."""


@contextmanager
def kept_running(cluster: DevBroker, on_event: Callable[[str], None]) -> Iterator[None]:
    """Start brokers of `cluster` again that end while this lasts; `on_event` is told of each end, in another thread."""
    stopping = Event()
    thread = Thread(target=_keep, args=(cluster, on_event, stopping), name="keep-kafka", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(2 * _LOOK_SECONDS)
        while thread.is_alive():  # a start is under way; it fails as soon as its brokers are gone
            for node in cluster.nodes:
                node.stop()
            thread.join(_LOOK_SECONDS)


def _keep(cluster: DevBroker, on_event: Callable[[str], None], stopping: Event) -> None:
    while not stopping.wait(_LOOK_SECONDS):
        if all(node.running for node in cluster.nodes):
            continue
        on_event("Kafka has ended; starting it again")
        while not stopping.is_set():
            try:
                cluster.start()
                break
            except (BrokerError, OSError) as error:
                if stopping.is_set():
                    return
                on_event(f"Kafka does not start, and is tried again in {_PAUSE_SECONDS:g} s: {error}")
                stopping.wait(_PAUSE_SECONDS)
