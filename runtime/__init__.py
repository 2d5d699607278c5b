"""What every process needs and no rule knows of: settings, logs, metrics, health, the way to start and stop."""
