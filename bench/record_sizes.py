"""How many bytes the records of a decision have, by kind: computed from the code, without Kafka."""

from collections.abc import Iterable

from bench.core import Core
from runtime.settings import Settings
from schemas.topics import Topic

KINDS = ("inputs", "inbox", "commands", "status", "history", "changelog", "ended")
"""`ended` is the stored state of a batch that has ended; the other kinds are means over the events of a batch."""
_BATCHES = 16
_OWN = {Topic.STATUS: "status", Topic.HISTORY: "history"}
_Headers = Iterable[tuple[str, bytes | None]]


def record_sizes(essays: int) -> dict[str, float]:
    """Return the mean bytes of each kind, keys and headers included, for batches of so many essays."""
    core = Core(Settings(), essays=essays, batches=_BATCHES)
    total: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    states: dict[bytes, bytes] = {}
    for given, outgoing, written, _ in core.decisions():
        assert written.state is not None
        states[outgoing.key] = written.state
        total["inputs"] += len(given.value)
        total["inbox"] += _size(outgoing.key, outgoing.value, outgoing.headers)
        total["changelog"] += len(outgoing.key) + len(written.state)
        for each in written.records:
            kind = _OWN.get(each.topic, "commands") if isinstance(each.topic, Topic) else "commands"
            total[kind] += _size(each.key, each.value, each.headers)
    means = {kind: size / len(core.inbox) for kind, size in total.items()}
    means["ended"] = sum(map(len, states.values())) / len(states)
    return means


def _size(key: bytes, value: bytes | None, headers: _Headers) -> float:
    return len(key) + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers)
