"""Explaining a batch from its own records: its states, its decisions, what would have been, and a test made of it."""
