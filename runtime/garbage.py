"""Garbage collection of a process that has started.

What a process builds at its start, some hundred thousand objects of modules, models and settings, lives until its end.
Every full collection looks at all of them, and the process does nothing else in the meantime.
"""

import gc

THRESHOLDS = (10_000, 20, 20)
"""New objects before a collection of the youngest generation, and collections of each before one of the next."""


def settle() -> None:
    """Collect once, and keep what is left out of all later collections; called when the process is ready to work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
