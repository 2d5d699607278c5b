"""The stream application that router, orchestrator and projector are built on."""
