"""The orchestrator: decides on the inbox, exactly once."""
