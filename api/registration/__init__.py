"""Registering a batch: write the request, wait for its answer, and return it."""
