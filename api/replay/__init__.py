"""Rebuilding batches from their own inbox records: their present state, and the comparison with what was published."""
