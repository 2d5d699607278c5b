"""Bulk operations: one action on many batches or dead letters, as a durable job (docs/operations.md)."""
