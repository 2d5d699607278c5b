"""View models: pure functions from records to what a template shows."""
