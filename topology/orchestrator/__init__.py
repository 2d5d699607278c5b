"""The orchestrator: decides on each inbox record exactly once."""
