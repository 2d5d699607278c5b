"""`python -m bench`: all sections, one after the other, and the aims beside what was found at the end."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from bench import comparison, host
from bench.figures import figures
from bench.plan import QUICK, SECTIONS, SOAK, Plan
from bench.results import write
from bench.run import Bench
from cli.broker import BOOTSTRAP_VARIABLE, kafka_from

_QUIET_LOAD = 1.0
_WIDTH = 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__.partition("\n")[0],
        epilog="`python -m bench compare A.json B.json` compares two runs. All sections take some 45 minutes on two"
        f" quiet cores, with --quick some minutes. {SOAK} takes 15 minutes, and runs with --section {SOAK} alone.",
    )
    parser.add_argument("--quick", action="store_true", help="everything small: numbers are rough")
    parser.add_argument(
        "--section", action="append", choices=(*SECTIONS, SOAK), help="only this section; can be repeated"
    )
    parser.add_argument("--batches", type=int, help="batches of the soak, and of projections")
    parser.add_argument("--rounds", type=int, help="rounds of single processes in turns")
    parser.add_argument("--quiet", type=float, default=0, help="wait up to so many seconds until the host is quiet")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found to this file")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = QUICK if arguments.quick else Plan()
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds)
    if arguments.batches:
        plan = replace(plan, soak=arguments.batches, projected=arguments.batches, rebuilt=arguments.batches)
    return plan


def main() -> int:
    """Run the sections that the arguments choose. A missed aim is printed and is no failure: hosts differ."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    if sys.argv[1:2] == ["compare"]:
        return comparison.main(sys.argv[2:], console)
    arguments = _arguments()
    plan = _plan(arguments)
    bench = Bench(plan, set(arguments.section or SECTIONS), console)
    host.await_quiet(_QUIET_LOAD, arguments.quiet, bench.report)
    facts = host.facts()
    for name, fact in facts.items():
        console.print(f"{name:10} {fact}", markup=False)
    try:
        _measure(bench)
    finally:  # what was measured before a section failed is told all the same
        console.print(*bench.tables())
        if arguments.json is not None:
            found = list(figures(bench.results))
            write(
                arguments.json,
                bench.results,
                host=facts,
                plan=asdict(plan),
                figures={figure.name: figure.value for figure in found},
                holds=[figure.name for figure in found if figure.holds],
            )
    return 0


def _measure(bench: Bench) -> None:
    bench.core()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-orchestrator-bench-")))
        bench.project(directory)
        if bench.needs_kafka:
            bench.report(f"Apache Kafka: the one in {BOOTSTRAP_VARIABLE}, or a development broker")
            bench.run(stack.enter_context(kafka_from()), directory)
        bench.soak(directory)


if __name__ == "__main__":
    raise SystemExit(main())
