"""Benchmarks on a real Kafka: `make bench`, or `python -m bench --help`.

Everything is measured in one run, and what is compared is measured in turns: the speed of a shared host drifts, so that
only ratios from the same minutes mean something. `docs/performance.md` says what was found and done.
"""
