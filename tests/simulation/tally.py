"""What occurred in a run, and what never did although it should have."""

from collections import Counter
from collections.abc import Iterable

from schemas.internal.enums import BatchStatus, DeadlineKind, Disposition, PhaseStatus, ReasonCode

REQUESTS = ("register", "cancel", "pause", "resume", "retry all", "retry failed", "retry list")
"""Requests as the run counts them."""
ELSEWHERE = {
    ReasonCode.PROCESS_CRASHED: "the process ends before the decision; tests/topology holds it",
}
"""Reason codes that no history of the simulation can lead to, and why."""


class Tally:
    """How often each word occurred."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {kind: Counter() for kind in expected_words()}
        self.histories = self.events = self.batches = 0

    def count(self, kind: str, word: str) -> None:
        """Count one occurrence."""
        self.counts[kind][word] += 1

    def fault(self, name: str) -> None:
        """Count a fault that was played."""
        self.counts["fault"][name] += 1

    def missing(self, faults: Iterable[str] = ()) -> list[str]:
        """Return the expected words that never occurred."""
        expected = expected_words()
        expected["fault"] = tuple(faults)
        return [f"{kind}: {word}" for kind, words in expected.items() for word in words if not self.counts[kind][word]]

    def add(self, other: "Tally") -> None:
        """Add the counts of another run."""
        for kind, counter in other.counts.items():
            self.counts[kind].update(counter)
        self.histories += other.histories
        self.events += other.events
        self.batches += other.batches

    def lines(self) -> list[str]:
        """Return what occurred how often, a kind a paragraph."""
        found: list[str] = []
        for kind, counter in self.counts.items():
            found.append(f"{kind}:")
            found += [f"  {count:>9,} {word}" for word, count in counter.most_common()]
        return found


def expected_words() -> dict[str, tuple[str, ...]]:
    """Return the words that a long run must have seen, by kind, derived from the enumerations."""
    return {
        "disposition": tuple(word.value for word in Disposition),
        "reason": tuple(word.value for word in ReasonCode if word not in ELSEWHERE),
        "deadline": tuple(word.value for word in DeadlineKind),
        "batch status": tuple(word.value for word in BatchStatus),
        "phase status": tuple(word.value for word in PhaseStatus),
        "request": REQUESTS,
        "fault": (),
    }
