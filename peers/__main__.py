"""`python -m peers`: play the peers until SIGTERM, SIGINT or enough batches, then print the report."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from peers.options import CLASS_BATCHES, ERAS, PeerOptions
from peers.playing import Peers, PeersError

_DEFAULTS = PeerOptions()


def parser() -> argparse.ArgumentParser:
    """The command line; every option of `PeerOptions` has its switch."""
    made = argparse.ArgumentParser(prog="python -m peers", description="Play HuleEdu's peers against a Kafka cluster.")
    made.add_argument("--bootstrap", required=True, metavar="HOST:PORT", help="bootstrap servers")
    made.add_argument("--batches", type=int, metavar="N", help="end after N batches' completed events")
    made.add_argument("--linger", type=float, default=1.0, metavar="S", help="seconds to go on after --batches")
    made.add_argument("--era", choices=ERAS, default=_DEFAULTS.era)
    made.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="random seed")
    for name in ("failed-essay", "validation-failure", "unaccounted", "critical", "repeat"):
        made.add_argument(f"--{name}-rate", type=float, default=0.0, metavar="P", help="probability, 0 to 1")
    for name, span in (("latency", _DEFAULTS.latency), ("repeat-delay", _DEFAULTS.repeat_delay)):
        made.add_argument(f"--{name}", type=float, nargs=2, default=span, metavar=("MIN", "MAX"), help="seconds")
    made.add_argument("--reorder-spread", type=float, default=0.0, metavar="S", help="longest extra delay, seconds")
    keys = made.add_mutually_exclusive_group()
    keys.add_argument("--keyless", dest="keyless", action="store_true", default=None, help="send without keys")
    keys.add_argument("--keyed", dest="keyless", action="store_false", help="send the batch id as key")
    made.add_argument("--class-batches", choices=CLASS_BATCHES, default=_DEFAULTS.class_batches)
    made.add_argument("--trust-ends", action="store_true", help="do not judge how a batch ends: workers run its phases")
    made.add_argument("--silent", action="store_true", help="answer no command")
    made.add_argument("--topic-prefix", default=_DEFAULTS.topic_prefix)
    made.add_argument("--read-committed", action="store_true", help="unlike the original consumers")
    made.add_argument("--from-beginning", action="store_true", help="also answer what the topics hold already")
    made.add_argument("--kafka", action="append", default=[], metavar="KEY=VALUE", help="librdkafka setting")
    return made


def options_of(arguments: argparse.Namespace) -> PeerOptions:
    """The options that a command line means; raises `ValueError` for one that is out of range."""
    settings = [setting.partition("=") for setting in arguments.kafka]
    return PeerOptions(
        era=arguments.era,
        seed=arguments.seed,
        latency=tuple(arguments.latency),
        validation_failure_rate=arguments.validation_failure_rate,
        failed_essay_rate=arguments.failed_essay_rate,
        unaccounted_rate=arguments.unaccounted_rate,
        critical_rate=arguments.critical_rate,
        repeat_rate=arguments.repeat_rate,
        repeat_delay=tuple(arguments.repeat_delay),
        reorder_spread=arguments.reorder_spread,
        keyless=arguments.keyless,
        class_batches=arguments.class_batches,
        judges_ends=not arguments.trust_ends,
        silent=arguments.silent,
        topic_prefix=arguments.topic_prefix,
        read_uncommitted=not arguments.read_committed,
        from_beginning=arguments.from_beginning,
        kafka={key: value for key, _, value in settings},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Play and report; 0 without complaints, 1 with, 2 where the peers could not play."""
    made = parser()
    arguments = made.parse_args(argv)
    try:
        options = options_of(arguments)
    except ValueError as error:
        made.error(str(error))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    peers = Peers(options, arguments.bootstrap)
    try:
        peers.start()
        print("played peers are ready", file=sys.stderr, flush=True)  # noqa: T201
        _play(peers, stopping, arguments.batches, arguments.linger)
        peers.stop()
    except PeersError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    report = peers.report()
    print(json.dumps(report.as_json(), indent=2))  # noqa: T201
    return 0 if report.ok else 1


def _play(peers: Peers, stopping: threading.Event, batches: int | None, linger: float) -> None:
    while peers.running and not stopping.is_set():
        if batches is not None and peers.wait_completed(batches, timeout=0.2):
            stopping.wait(linger)
            return
        if batches is None:
            stopping.wait(0.2)


if __name__ == "__main__":
    sys.exit(main())
