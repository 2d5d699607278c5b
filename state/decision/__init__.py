"""The decision core: one pure function of a batch and an event."""
