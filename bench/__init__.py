"""Benchmarks on a real broker."""
