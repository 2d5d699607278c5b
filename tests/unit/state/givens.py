"""Batches in every status from which a request or a deadline can find them."""

from collections.abc import Callable

from schemas.internal.enums import DeadlineKind
from tests.unit.state.clocked import HOLDS, RETRIES, ClockedStory, begun, phase, pipeline_of
from tests.unit.state.story import CLASS_CONTEXT

Given = Callable[[], ClockedStory]


def waiting() -> ClockedStory:
    """Return a batch that waits for its essays."""
    story = ClockedStory(pipeline_of(phase("a"), phase("b", ["a"])))
    story.register()
    return story


def matching() -> ClockedStory:
    """Return a class batch that waits for its students to be matched."""
    story = ClockedStory(pipeline_of(phase("a"), phase("b", ["a"])), context=CLASS_CONTEXT)
    story.register()
    story.provisioned()
    return story


def running() -> ClockedStory:
    """Return a batch whose first phase `a` runs; `b` comes after it."""
    return begun(phase("a"), phase("b", ["a"]))


def stalled() -> ClockedStory:
    """Return that batch with `a` flagged as stalled."""
    story = running()
    story.reach(DeadlineKind.STALLED, "a")
    return story


def backing_off() -> ClockedStory:
    """Return a batch whose phase `a` failed two of three essays and waits for its second attempt."""
    story = begun(phase("a", **RETRIES), phase("b", ["a"]))
    story.answer("a", failed=[1, 2])
    return story


def second_attempt() -> ClockedStory:
    """Return that batch with the second attempt running, on two essays."""
    story = backing_off()
    story.reach(DeadlineKind.RETRY_BACKOFF, "a")
    return story


def held() -> ClockedStory:
    """Return a batch whose phase `a` failed every essay and is held; `b` comes after it."""
    story = begun(phase("a", **HOLDS), phase("b", ["a"]))
    story.fail("a")
    return story


def half_asked() -> ClockedStory:
    """Return a batch whose phase `a` runs; nobody asked for `b`."""
    return begun(phase("a"), phase("b", ["a"]), phases_asked=["a"])


def partial() -> ClockedStory:
    """Return a batch whose phase `a` failed one of three essays, and whose phase `b` runs on the other two."""
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a", failed=[2])
    return story


def failed() -> ClockedStory:
    """Return a batch whose phase `a` failed, so that `b` after it is skipped, while `z` keeps the batch going."""
    story = begun(phase("a"), phase("b", ["a"]), phase("z"))
    story.fail("a")
    return story


def succeeded() -> ClockedStory:
    """Return a batch whose phase `a` succeeded and whose phase `b` runs."""
    story = begun(phase("a"), phase("b", ["a"]))
    story.answer("a")
    return story


def paused() -> ClockedStory:
    """Return a paused batch whose first phase `a` runs."""
    story = running()
    story.pause()
    return story


def completed() -> ClockedStory:
    """Return a batch that has ended with full success."""
    story = succeeded()
    story.answer("b")
    return story


def critical() -> ClockedStory:
    """Return a batch that has ended in failure."""
    story = running()
    story.fail("a")
    return story


def cancelled() -> ClockedStory:
    """Return a batch that was cancelled while its first phase ran."""
    story = running()
    story.cancel()
    return story


LIVE: tuple[Given, ...] = (
    waiting,
    matching,
    running,
    stalled,
    backing_off,
    second_attempt,
    held,
    partial,
    failed,
    succeeded,
    paused,
)
ENDED: tuple[Given, ...] = (completed, critical, cancelled)
