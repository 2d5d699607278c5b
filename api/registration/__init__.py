"""Registering a batch: the request written, its answer awaited and told."""
