"""Events and commands published to peers."""
