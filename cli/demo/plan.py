"""The plan of the demo: registrations with a mix of all options, and the phases that each must run."""

import random
from dataclasses import dataclass
from typing import Any

from peers.options import Era

_COURSES = ("ENG5", "ENG6", "ENG7", "SV1", "SV2", "SV3")
_SEED_ONLY_COURSE = "ENG-ADV"
"""A course that the seed era accepts and later eras do not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBatch:
    """One registration: its body, its Idempotency-Key, and the phases that it must request."""

    body: dict[str, Any]
    key: str
    phases: tuple[str, ...]


def plan(*, batches: int, essays: int, era: Era, seed: int) -> list[PlannedBatch]:
    """Return the registrations of a demo: with and without comparative judgement, guest and class, all courses."""
    chance = random.Random(f"demo:{seed}")  # noqa: S311 - a demo is seeded, not secret
    return [_planned(number, chance, essays=essays, era=era, seed=seed) for number in range(batches)]


def _planned(number: int, chance: random.Random, *, essays: int, era: Era, seed: int) -> PlannedBatch:
    asks_for_cj = number % 3 != 0
    body: dict[str, Any] = {
        "expected_essay_count": essays,
        "course_code": chance.choice(_COURSES),
        "enable_cj_assessment": asks_for_cj,
    }
    if era == "head":
        body |= {"user_id": f"teacher-{number % 7}", "org_id": f"school-{number % 3}"}
        if number % 2:
            body["class_id"] = f"class-{number % 5}"
    else:
        body |= {
            "class_designation": f"Class {number % 9 + 1}A",
            "teacher_name": "Ms Berg",
            "essay_instructions": "Argue for or against school uniforms.",
        }
        if era == "seed" and number % 10 == 0:
            body["course_code"] = _SEED_ONLY_COURSE
    if number % 4 == 0:
        body["essay_ids"] = [f"client-{number}-{index}" for index in range(essays)]
    phases = ("spellcheck", "cj_assessment") if asks_for_cj else ("spellcheck",)
    return PlannedBatch(body=body, key=f"demo-{seed}-{number}", phases=phases)
