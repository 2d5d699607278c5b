"""What a process has built at its start is kept out of later garbage collections."""

import subprocess
import sys

PROGRAM = """
import gc
from runtime.garbage import THRESHOLDS, settle

left = []
left.append(left)
del left
settle()
assert gc.get_freeze_count() > 1_000
assert gc.get_threshold() == THRESHOLDS
assert len(gc.get_objects()) < 1_000
assert gc.collect() == 0
"""


def test_a_settled_process_collects_only_what_is_new() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)
