"""The peers: what they answer to what the orchestrator publishes. Right, late, twice, wrongly, in part, or never."""

from collections.abc import Callable
from random import Random

from schemas.internal.effects import BatchRegistered, CommandPhase, CommandStudentMatching, Effect
from schemas.internal.events import (
    Body,
    ContentProvisioned,
    EssayRef,
    EssaysReady,
    FileFailure,
    OutcomeStatus,
    PhaseConcluded,
    RegisterBatch,
    ValidationFailed,
)
from tests.simulation.tally import Tally
from tests.simulation.worlds import hex_id

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
Send = Callable[[str, Body, int, str], None]
"""Sends an event: batch id, body, delay in milliseconds, event id."""

WRONG_ANSWERS = (
    "never provided",
    "no valid file",
    "foreign essays at the start",
    "repeated essays at the start",
    "only foreign essays at the start",
    "critical validation",
    "conflicting ready event",
    "no outcome",
    "second outcome",
    "outcome of a phase that nobody knows",
    "outcome of another phase",
    "critical failure",
    "success that names nobody",
    "foreign essays",
    "only foreign essays",
    "essay in both lists",
    "failure that is not retryable",
    "essay that is not retryable",
    "failed essays",
    "partial outcome",
    "echo of the commanded texts",
    "foreign correlation id",
    "wrong attempt",
    "late event",
    "repeated event",
    "peer reads uncommitted",
)
"""What goes wrong with answers, as the run counts it."""


class Peers:
    """All peers of a history. They answer each effect that they see, and each once more where they see it again."""

    def __init__(self, rng: Random, send: Send, tally: Tally, temper: float) -> None:
        self._rng = rng
        self._send = send
        self._tally = tally
        self._temper = temper
        """Share of answers that go wrong."""

    def see(self, effect: Effect, registration: RegisterBatch) -> None:
        """Answer an effect."""
        match effect:
            case BatchRegistered():
                self._provide(effect, registration)
            case CommandStudentMatching():
                if self._rng.random() < 0.9:
                    self._tell(effect.batch_id, EssaysReady(essays=effect.essays))
            case CommandPhase():
                self._work(effect, registration)
            case _:
                pass

    # ------------------------------------------------------------------------------------------------------ the start

    def _provide(self, effect: BatchRegistered, registration: RegisterBatch) -> None:
        rng = self._rng
        if self._wrong("never provided", 0.3):
            return
        slots = [one for one in effect.essay_ids if rng.random() < 0.95]
        essays = [EssayRef(one, hex_id(rng)) for one in slots]
        failures: tuple[FileFailure, ...] = ()
        if self._wrong("no valid file", 0.2):
            essays = []
        if len(essays) < len(effect.essay_ids):
            failures = tuple(
                FileFailure("TOO_SHORT", "too few words", f"{number}.txt")
                for number in range(len(effect.essay_ids) - len(essays))
            )
        if self._wrong("foreign essays at the start"):
            essays.append(EssayRef(hex_id(rng), hex_id(rng)))
        if essays and self._wrong("repeated essays at the start"):
            essays.append(EssayRef(essays[0].essay_id, hex_id(rng)))
        self._begin(effect.batch_id, tuple(essays), failures, in_class=registration.context.class_id is not None)

    def _begin(
        self, batch_id: str, essays: tuple[EssayRef, ...], failures: tuple[FileFailure, ...], *, in_class: bool
    ) -> None:
        rng = self._rng
        if self._wrong("only foreign essays at the start"):
            self._tell(batch_id, EssaysReady(essays=(EssayRef(hex_id(rng), hex_id(rng)),)))
            self._tell(batch_id, ContentProvisioned(essays=(EssayRef(hex_id(rng), hex_id(rng)),)))
        if failures and rng.random() < 0.5:
            validation = ValidationFailed(critical=self._wrong("critical validation", 4.0), failures=failures)
            self._tell(batch_id, validation)
            failures = ()
        if in_class or rng.random() < 0.3:
            self._tell(batch_id, ContentProvisioned(essays=essays))
            if in_class and rng.random() < 0.7:
                return  # the command to match the students will be answered with the ready event
        self._tell(batch_id, EssaysReady(essays=essays, failures=failures))
        if essays and self._wrong("conflicting ready event"):
            self._tell(batch_id, EssaysReady(essays=essays[1:]))

    # ------------------------------------------------------------------------------------------------------- outcomes

    def _work(self, command: CommandPhase, registration: RegisterBatch) -> None:
        if self._wrong("no outcome"):
            return
        echoes = any(one.name == command.phase and one.echoes_attempt for one in registration.pipeline.phases)
        outcome = self._outcome(command, echoes=echoes)
        self._tell(command.batch_id, outcome)
        if self._wrong("second outcome"):
            self._tell(command.batch_id, self._outcome(command, echoes=echoes))
        if self._wrong("outcome of a phase that nobody knows", 0.2):
            self._tell(command.batch_id, _renamed(outcome, "unknown_phase"))
        if self._wrong("outcome of another phase", 0.3):
            other = self._rng.choice(registration.pipeline.phases).name
            self._tell(command.batch_id, _renamed(outcome, other))

    def _outcome(self, command: CommandPhase, *, echoes: bool) -> PhaseConcluded:
        rng = self._rng
        ok, failed = self._verdicts(command)
        status = OutcomeStatus.SUCCEEDED_WITH_FAILURES if failed else OutcomeStatus.SUCCEEDED
        if self._wrong("critical failure"):
            ok, failed, status = [], [], rng.choice((OutcomeStatus.FAILED, OutcomeStatus.CANCELLED))
        elif self._wrong("success that names nobody", 0.3):
            ok, failed = [], []
        elif self._wrong("foreign essays"):
            ok.append(EssayRef(hex_id(rng), hex_id(rng)))
            if self._wrong("only foreign essays", 3.0):
                ok, failed = ok[-1:], []
        elif ok and self._wrong("essay in both lists", 0.3):
            failed.append(ok[0].essay_id)
        correlation, attempt = self._echo(command, echoes=echoes)
        return PhaseConcluded(
            phase=command.phase,
            status=status,
            essays=tuple(ok),
            failed_essay_ids=tuple(failed),
            correlation_id=correlation,
            attempt=attempt,
            retryable=not self._wrong("failure that is not retryable"),
            not_retryable=tuple(failed[:1]) if failed and self._wrong("essay that is not retryable", 2.0) else (),
            failures={one: "the essay is empty" for one in failed if rng.random() < 0.2},
        )

    def _verdicts(self, command: CommandPhase) -> tuple[list[EssayRef], list[str]]:
        rng = self._rng
        ok: list[EssayRef] = []
        failed: list[str] = []
        fails = 0.35 if self._wrong("failed essays", 2.0) else 0.0
        left_out = 0.35 if self._wrong("partial outcome") else 0.0
        echo = self._wrong("echo of the commanded texts")
        for ref in command.essays:
            if rng.random() < fails:
                failed.append(ref.essay_id)
            elif rng.random() >= left_out:
                metrics = {"words": rng.randrange(900)} if rng.random() < 0.2 else None
                text = ref.text_storage_id if echo or rng.random() < 0.1 else hex_id(rng)
                ok.append(EssayRef(ref.essay_id, text, metrics))
        if rng.random() < 0.2:
            rng.shuffle(ok)
        return ok, failed

    def _echo(self, command: CommandPhase, *, echoes: bool) -> tuple[str | None, int | None]:
        """Return the correlation id and the attempt that an outcome carries."""
        rng = self._rng
        correlation = command.correlation_id if rng.random() < 0.7 else None
        if correlation is None and self._wrong("foreign correlation id"):
            correlation = hex_id(rng)
        attempt = command.attempt if echoes and rng.random() < 0.9 else None
        if self._wrong("wrong attempt", 0.3):
            attempt = command.attempt + rng.choice((-1, 1, 1_000))
        return correlation, attempt

    # -------------------------------------------------------------------------------------------------------- sending

    def _tell(self, batch_id: str, body: Body) -> None:
        rng = self._rng
        delay = rng.randrange(100, MINUTE_MS)
        if self._wrong("late event"):
            delay = rng.choice((10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 8 * DAY_MS))
        event_id = hex_id(rng)
        self._send(batch_id, body, delay, event_id)
        if self._wrong("repeated event"):
            again = event_id if rng.random() < 0.5 else hex_id(rng)
            self._send(batch_id, body, delay + rng.choice((0, 50, HOUR_MS, 2 * DAY_MS)), again)

    def _wrong(self, fault: str, weight: float = 1.0) -> bool:
        """Return whether this goes wrong now, and count it."""
        if self._rng.random() >= self._temper * weight:
            return False
        self._tally.fault(fault)
        return True


def _renamed(outcome: PhaseConcluded, phase: str) -> PhaseConcluded:
    return PhaseConcluded(
        phase=phase, status=outcome.status, essays=outcome.essays, failed_essay_ids=outcome.failed_essay_ids
    )
