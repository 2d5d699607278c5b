"""The clients: they register batches, and cancel, pause, resume and retry them at any moment, also wrongly."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from schemas.internal.events import (
    Body,
    CancelBatch,
    OutcomeStatus,
    PauseBatch,
    PhaseConcluded,
    Principal,
    RegisterBatch,
    ResumeBatch,
    RetryPhase,
)
from tests.simulation.peers import DAY_MS, HOUR_MS, MINUTE_MS
from tests.simulation.reference_phases import MOST_ATTEMPTS
from tests.simulation.tally import Tally
from tests.simulation.worlds import OPERATOR, OWNER, STRANGER, hex_id

Later = Callable[[int, Callable[[], None]], None]
"""Has something done after a delay in milliseconds."""


class View(NamedTuple):
    """What a client sees of a batch."""

    version: int
    """-1 where there is no batch."""
    essays: tuple[str, ...]
    failed: dict[str, list[str]]
    """Lost essays of each phase that did not succeed on all."""


KINDS = ("cancel", "pause", "pause", "resume", "resume", "retry", "retry", "retry", "retry", "register")


class Clients:
    """All clients of a history."""

    def __init__(
        self, rng: Random, send: Callable[[str, Body], None], later: Later, view: Callable[[str], View], tally: Tally
    ) -> None:
        self._rng = rng
        self._send = send
        self._later = later
        self._view = view
        self._tally = tally
        self._sent: dict[str, list[Body]] = {}

    def register(self, batch_id: str, registration: RegisterBatch) -> None:
        """Register a batch, perhaps twice, and plan what else its clients will ask for."""
        rng = self._rng
        self._ask(batch_id, registration)
        if rng.random() < 0.08:
            self._later(rng.randrange(HOUR_MS), lambda: self._ask(batch_id, registration))
        moments = rng.choice((0, 0, 0, 1, 1, 2, 3, 5, 8))
        for _ in range(moments):
            at = rng.choice((2 * MINUTE_MS, 5 * MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, DAY_MS, 8 * DAY_MS, 36 * DAY_MS))
            self._later(rng.randrange(at), lambda: self._control(batch_id, registration))
        if rng.random() < 0.01:
            self._later(rng.randrange(5 * MINUTE_MS), lambda: self._insist(batch_id, registration))
        if rng.random() < 0.03:
            self._cancel_before_it_is_known(batch_id)

    def _cancel_before_it_is_known(self, batch_id: str) -> None:
        other = batch_id[:-4] + "none"
        rng = self._rng
        self._ask(other, self._cancel(OWNER, None))
        self._send(
            other,
            PhaseConcluded(
                phase="spellcheck", status=OutcomeStatus.SUCCEEDED, essays=(), failed_essay_ids=(hex_id(rng),)
            ),
        )

    def _insist(self, batch_id: str, registration: RegisterBatch) -> None:
        """Retry a phase more often than it may be."""
        phase = self._rng.choice(registration.requested_phases)
        for turn in range(MOST_ATTEMPTS + 3):
            body = RetryPhase(**self._common(OWNER), phase=phase, essays="all")
            self._later(turn * 1_000, partial(self._ask, batch_id, body))

    def _control(self, batch_id: str, registration: RegisterBatch) -> None:
        rng = self._rng
        earlier = self._sent[batch_id]
        if earlier and rng.random() < 0.1:
            again = rng.choice(earlier)
            if rng.random() < 0.4:
                again = replace(again, fingerprint="1:other")
            self._ask(batch_id, again)
            return
        kind = rng.choice(KINDS)
        body = self._body(kind, batch_id, registration)
        self._ask(batch_id, body)
        if kind == "pause" and rng.random() < 0.8:
            resume = rng.choice((MINUTE_MS, HOUR_MS, 2 * DAY_MS, 10 * DAY_MS))
            self._later(resume, lambda: self._ask(batch_id, self._resume(OWNER, None)))

    def _body(self, kind: str, batch_id: str, registration: RegisterBatch) -> Body:
        rng = self._rng
        view = self._view(batch_id)
        version = view.version
        who = rng.choices((OWNER, STRANGER, OPERATOR), (20, 1, 2))[0]
        if_version = rng.choices((None, version, version - 1), (8, 2, 1))[0] if version >= 0 else None
        if kind == "register":
            other = rng.random() < 0.5
            fingerprint = "1:another body" if other else registration.fingerprint
            return replace(registration, request_id=hex_id(rng), principal=who, fingerprint=fingerprint)
        if kind == "cancel":
            return self._cancel(who, if_version)
        if kind == "pause":
            return PauseBatch(**self._common(who), reason="looking into it", if_version=if_version)
        if kind == "resume":
            return self._resume(who, if_version)
        return self._retry(who, if_version, registration, view)

    def _retry(self, who: Principal, if_version: int | None, registration: RegisterBatch, view: View) -> RetryPhase:
        """Return a retry: mostly of a phase that failed, and mostly of essays that it lost."""
        rng = self._rng
        phase = rng.choice([one.name for one in registration.pipeline.phases])
        if view.failed and rng.random() < 0.7:
            phase = rng.choice(list(view.failed))
        elif rng.random() < 0.05:
            phase = "unknown_phase"
        chosen: Literal["all", "failed"] | None = rng.choice(("all", "failed", "failed", None))
        if chosen is not None:
            return RetryPhase(**self._common(who), phase=phase, essays=chosen, if_version=if_version)
        listed = [one for one in view.essays if rng.random() < 0.3 or one in view.failed.get(phase, ())]
        if rng.random() < 0.15:
            listed.append(hex_id(rng))
        return RetryPhase(**self._common(who), phase=phase, essays=tuple(listed), reason="", if_version=if_version)

    def _cancel(self, who: Principal, if_version: int | None) -> CancelBatch:
        return CancelBatch(**self._common(who), reason="no longer needed", if_version=if_version)

    def _resume(self, who: Principal, if_version: int | None) -> ResumeBatch:
        return ResumeBatch(**self._common(who), if_version=if_version)

    def _common(self, who: Principal) -> dict[str, Any]:
        rng = self._rng
        fingerprint = f"1:{rng.getrandbits(64):016x}"
        return {"request_id": hex_id(rng), "principal": who, "correlation_id": hex_id(rng), "fingerprint": fingerprint}

    def _ask(self, batch_id: str, body: Body) -> None:
        self._sent.setdefault(batch_id, []).append(body)
        self._tally.count("request", _word(body))
        self._send(batch_id, body)


def _word(body: Body) -> str:
    word = str(body.__struct_config__.tag)
    if not isinstance(body, RetryPhase):
        return word
    return f"{word} {body.essays if isinstance(body.essays, str) else 'list'}"
