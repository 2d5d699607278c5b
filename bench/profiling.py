"""`python -m bench.profiling orchestrator|router`: where a process's time goes, by Python's own profiler.

The profiler makes Python calls dearer than they are and native code cheaper beside them: it finds what to look at, and
`python -m bench` tells what a change has brought.
"""

import argparse
import pstats
import tempfile
from contextlib import closing
from pathlib import Path

from bench.load import Laid, fill_inbox, fill_inputs
from bench.measuring import measure_to_end
from bench.workplace import GroupOffsets, InboxEnd, Workplace, run_name
from cli.broker import Kafka, kafka_from
from runtime.settings import Settings

ESSAYS = 25
TOP = 45


def profile(kafka: Kafka, directory: Path, process: str, *, batches: int) -> pstats.Stats:
    """Return the statistics of `process`, which processes `batches` batches of the seed's shape."""
    with closing(Workplace(kafka, directory, run_name())) as workplace:
        settings = workplace.settings(STATE_DIR=str(workplace.directory / "state"))
        workplace.provision(settings)
        fill = fill_inbox if process == "orchestrator" else _fill_inputs
        laid = fill(settings, batches=batches, essays=ESSAYS)
        done = GroupOffsets(settings) if process == "orchestrator" else InboxEnd(settings)
        found = workplace.directory / "profile"
        command = ("-m", "bench.profiled", str(found), process)
        names = {"STATE_DIR": str(settings.state_dir)}
        with closing(done), workplace.process(process, command, names) as running:
            pids = {"self": running.pid}
            measure_to_end(done, laid.records, pids, check=lambda: workplace.check(process, running))
        return pstats.Stats(str(found))


def _fill_inputs(settings: Settings, *, batches: int, essays: int) -> Laid:
    return fill_inputs(settings, "seed", batches=batches, essays=essays)


def main() -> None:
    """Print the most expensive functions, by own time and by cumulative time."""
    parser = argparse.ArgumentParser(prog="python -m bench.profiling", description=__doc__.partition("\n")[0])
    parser.add_argument("process", choices=("orchestrator", "router"))
    parser.add_argument("--batches", type=int, default=5_000, help="four events each")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="batch-orchestrator-bench-") as directory, kafka_from() as kafka:
        stats = profile(kafka, Path(directory), arguments.process, batches=arguments.batches)
    stats.sort_stats("tottime").print_stats(TOP)
    stats.sort_stats("cumulative").print_stats(TOP)


if __name__ == "__main__":
    main()
