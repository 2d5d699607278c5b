"""Benchmarks on a real Kafka: `make bench`, or `python -m bench --help`.

Everything is measured in one run, and compared values are measured in turns: the speed of a shared host drifts, so only
ratios from the same minutes are meaningful. `docs/performance.md` has the results.
"""
