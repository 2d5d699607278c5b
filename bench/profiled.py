"""A process under Python's profiler, which counts the main thread's CPU time: waiting is no cost.

`python -m bench.profiled FILE COMMAND`; started by `bench.profiling`.
"""

import cProfile
import sys
import time

from cli.main import app


def main() -> None:
    """Run `bos COMMAND`, and leave the statistics in FILE."""
    file, command = sys.argv[1:]
    profile = cProfile.Profile(time.thread_time)
    try:
        profile.runcall(app, [command])
    finally:
        profile.dump_stats(file)


if __name__ == "__main__":
    main()
