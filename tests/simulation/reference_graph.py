"""The reference model's account of essays: the graph of phases, which essays survive, and which text is the newest."""

from typing import Any

SUCCEEDED = ("completed_successfully", "completed_with_partial_success")


def parents(batch: dict[str, Any], name: str) -> list[str]:
    """Return the requested phases that a phase waits for; one that nobody requested is replaced by its own."""
    found: list[str] = []
    for one in batch["definition"][name].after:
        for parent in [one] if one in batch["requested"] else parents(batch, one):
            if parent not in found:
                found.append(parent)
    return found


def ancestors(batch: dict[str, Any], name: str) -> set[str]:
    """Return all requested phases before a phase."""
    found: set[str] = set()
    for parent in parents(batch, name):
        found |= {parent} | ancestors(batch, parent)
    return found


def after(batch: dict[str, Any], name: str) -> list[str]:
    """Return all requested phases after a phase."""
    return [one for one in batch["requested"] if name in ancestors(batch, one)]


def in_order(batch: dict[str, Any]) -> list[str]:
    """Return the phases so that each comes after all that it waits for; the definition's order where that is free."""
    left, placed = list(batch["definition"]), []
    while left:
        name = next(one for one in left if all(parent in placed for parent in batch["definition"][one].after))
        placed.append(name)
        left.remove(name)
    return placed


# --------------------------------------------------------------------------------------------------------------- essays


def verdicts(batch: dict[str, Any], name: str) -> dict[str, str | None]:
    """Return for each essay that the phase has concluded why it was lost, or None where it survived; newest attempt."""
    found: dict[str, str | None] = {}
    for attempt in batch["phases"][name]["attempts"]:
        for essay in attempt["essays"]:
            if attempt["over"] and not attempt["superseded"]:
                found[essay] = attempt["lost"].get(essay)
            elif not attempt["superseded"]:
                found.pop(essay, None)  # it is being worked on
    return found


def essays_lost(batch: dict[str, Any], name: str) -> list[str]:
    """Return the essays that a phase lost, all attempts together."""
    return [essay for essay, why in verdicts(batch, name).items() if why is not None]


def survivors(batch: dict[str, Any], name: str) -> list[str]:
    """Return the essays that survived a phase, all attempts together."""
    return [essay for essay, why in verdicts(batch, name).items() if why is None]


def inputs(batch: dict[str, Any], name: str) -> list[str]:
    """Return the essays that a phase can work on, in the order of the ready event."""
    before = parents(batch, name)
    if not before:
        return list(batch["ready"])
    alive = {essay for one in before if batch["phases"][one]["status"] in SUCCEEDED for essay in survivors(batch, one)}
    return [essay for essay in batch["ready"] if essay in alive]


def given_by(batch: dict[str, Any], name: str, essay: str, what: str) -> Any:
    """Return the text or the metrics that a phase gave an essay, by the newest attempt on it that counts, or None."""
    found = None
    for attempt in batch["phases"][name]["attempts"]:
        if not attempt["superseded"] and essay in attempt["essays"]:
            found = attempt["gave"][what].get(essay)
    return found


def newest(batch: dict[str, Any], name: str, essay: str, what: str) -> Any:
    """Return the text or the metrics of an essay that a phase is sent: the newest by the graph.

    Of the phases before it that have survivors and gave the essay one, those count that no other such phase comes
    after; of several, the last in topological order.
    """
    good = [one for one in ancestors(batch, name) if batch["phases"][one]["status"] in SUCCEEDED]
    givers = [one for one in batch["order"] if one in good and given_by(batch, one, essay, what) is not None]
    last = [one for one in givers if not any(one in ancestors(batch, other) for other in givers)]
    return given_by(batch, last[-1], essay, what) if last else batch["ready"][essay][what]


def known(batch: dict[str, Any], name: str, essay: str, what: str) -> list[Any]:
    """Return every text, or all metrics, that an essay already had before a phase: peers repeat what they were sent."""
    return [batch["ready"][essay][what], *(given_by(batch, one, essay, what) for one in ancestors(batch, name))]
