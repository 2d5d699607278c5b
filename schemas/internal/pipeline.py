"""Pipelines as data: which phases a batch runs, in which order, with which patience.

A definition travels in full with each batch. A field that has its default is not in the bytes; so a default never
changes, and a new field has a default that means what was done before it existed.
"""

from typing import Literal

from msgspec import Struct

DAY_S = 86_400


class PhaseDefinition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One phase of a pipeline. A phase starts when everything it comes after has ended with survivors."""

    name: str
    """Name as peers spell it in outcomes, for example `spellcheck`."""
    after: tuple[str, ...] = ()
    """Phases that must end before this one starts; independent phases run in parallel."""
    when: str = ""
    """Empty: always requested. Otherwise the name of the flag of a registration that asks for it."""
    stalled_after_s: int = 1_800
    """Seconds from the command until the phase is flagged as stalled. Soft: it goes on."""
    deadline_s: int = DAY_S
    """Seconds from the command until the attempt is given up. Hard."""
    max_attempts: int = 1
    """Attempts made without being asked; above 1 only where the peer echoes the attempt."""
    retry_backoff_s: int = 60
    """Seconds before the second attempt; doubles with each further one."""
    echoes_attempt: bool = False
    """Whether the peer's outcome names the attempt it answers."""
    on_partial_failure: Literal["continue", "fail"] = "continue"
    """`continue`: dependants run on the survivors. `fail`: one failed essay fails the phase."""
    join: Literal["all", "any"] = "all"
    """`all`: start when every phase before it has survivors. `any`: start when the first of them has."""
    on_failure: Literal["fail", "hold"] = "fail"
    """`fail`: a failed phase ends. `hold`: it waits `hold_s` for a person who retries it or cancels the batch."""
    hold_s: int = 7 * DAY_S
    """Seconds that a failed phase is held before it ends as failed."""
    payload: Literal["huleedu", "generic"] = "huleedu"
    """`huleedu`: the command that HuleEdu's peers know for this name. `generic`: the command of docs/workers.md."""
    command_topic: str = ""
    """Real name of the topic of the command; empty: the one that belongs to the payload. Only for `generic`."""


class PipelineDefinition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A named, versioned set of phases. Stamped into a batch at registration, and never changed there."""

    name: str
    version: int
    phases: tuple[PhaseDefinition, ...]
    provisioning_deadline_s: int = 7 * DAY_S
    """Seconds from registration until a batch whose essays never came is ended in failure."""
    purge_after_s: int = 35 * DAY_S
    """Seconds from the end until the stub goes; longer than every topic that can repeat a registration."""


class Pipelines(Struct, frozen=True, kw_only=True):
    """The definitions of one file, and which of them a registration gets that names none."""

    by_name: dict[str, PipelineDefinition]
    default_name: str

    @property
    def default(self) -> PipelineDefinition:
        """Return the definition for registrations that name none."""
        return self.by_name[self.default_name]

    @classmethod
    def only(cls, pipeline: PipelineDefinition) -> "Pipelines":
        """Return the one definition as a file of its own."""
        return cls(by_name={pipeline.name: pipeline}, default_name=pipeline.name)

    def generic_phases(self) -> tuple[PhaseDefinition, ...]:
        """Return the phases of all definitions that workers carry out by the generic command."""
        return tuple(phase for each in self.by_name.values() for phase in each.phases if phase.payload == "generic")
