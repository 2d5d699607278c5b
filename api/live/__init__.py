"""Live updates: notices of decided batches as server-sent events (docs/live.md)."""
