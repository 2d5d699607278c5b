"""What the peers know of one batch: its slots, texts, and how far each essay has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from peers.chance import Chance
from peers.topics import SPELLCHECK, STUDENT_MATCHING

_FIRST_PHASES: Final = frozenset({STUDENT_MATCHING, SPELLCHECK})

EssayResult: TypeAlias = Literal["succeeded", "failed", "unaccounted"]


def prerequisites(phase: str) -> tuple[str, ...]:
    """The phases that an essay must have come through before `phase`."""
    return () if phase in _FIRST_PHASES else (SPELLCHECK,)


@dataclass(slots=True)
class Essay:
    """One slot. `text_id` is None until content came, and stays so where its file failed validation."""

    essay_id: str
    text_id: str | None = None
    results: dict[str, EssayResult] = field(default_factory=dict)
    """What each commanded phase makes of it; set when the command is taken."""
    outcome_texts: dict[str, str] = field(default_factory=dict)
    """The text id that each phase's outcome gave."""

    def can_start(self, phase: str) -> bool:
        """Whether the essay is in the start state of `phase`."""
        if self.text_id is None or phase in self.results:
            return False
        return all(self.results.get(before) == "succeeded" for before in prerequisites(phase))

    def texts_for(self, phase: str) -> set[str]:
        """The newest text ids that a command for `phase` may name; empty before content came."""
        if phase not in _FIRST_PHASES and self.outcome_texts:
            return set(self.outcome_texts.values())
        return {self.text_id} if self.text_id is not None else set()

    def produced(self, text_id: object) -> bool:
        """Whether the peers ever gave this text id for this essay."""
        return text_id is not None and (text_id == self.text_id or text_id in self.outcome_texts.values())


@dataclass(slots=True)
class PhaseRun:
    """A phase whose command was taken."""

    commands: int = 0
    """How many commands were taken; more than one only where the first left essays out."""
    answer_at: float | None = None
    """When the outcome goes out; None where none will ever come."""


@dataclass(slots=True)
class Batch:
    """One registered batch."""

    batch_id: str
    chance: Chance
    correlation_id: str
    registration: Mapping[str, Any]
    """The data of the registered event."""
    essays: dict[str, Essay]
    """Essays by essay id, in the order of the registration."""
    provisioned_at: float = 0.0
    """When the peers report the content; the batch may be commanded from then on."""
    ready_at: float | None = None
    """When the ready event goes out; None while it waits for the student matching command."""
    waits_for_ready: bool = True
    runs: dict[str, PhaseRun] = field(default_factory=dict)
    matching_commands: int = 0
    ended_as: str | None = None
    """The final status that the completed event told; None before it."""

    @property
    def starts_at(self) -> float | None:
        """From when phases may be commanded; None while a class batch waits for its ready event.

        Head's guest batches get no ready event and start on the reported content.
        """
        return self.ready_at if self.waits_for_ready else self.provisioned_at

    @property
    def is_class(self) -> bool:
        """Whether the registration named a class."""
        return bool(self.registration.get("class_id"))

    @property
    def course_code(self) -> str | None:
        """The registered course code, where the registration carries one."""
        code = self.registration.get("course_code")
        return code if isinstance(code, str) else None

    def with_content(self) -> list[Essay]:
        """The essays whose file passed validation."""
        return [essay for essay in self.essays.values() if essay.text_id is not None]

    def in_phase(self, phase: str, result: EssayResult) -> list[str]:
        """The ids of the essays with `result` in `phase`, in the order of the registration."""
        return [essay.essay_id for essay in self.essays.values() if essay.results.get(phase) == result]

    def survivors(self) -> list[str]:
        """The essays that succeeded in every commanded phase; none where no phase was commanded."""
        return [
            essay.essay_id
            for essay in self.essays.values()
            if self.runs and all(essay.results.get(phase) == "succeeded" for phase in self.runs)
        ]


def open_batch(chance: Chance, data: Mapping[str, Any], correlation_id: str) -> Batch:
    """A batch with an empty slot for each registered essay id."""
    ids: Iterable[str] = data["essay_ids"]
    essays = {essay_id: Essay(essay_id) for essay_id in ids}
    return Batch(chance.batch_id, chance, correlation_id, data, essays)
