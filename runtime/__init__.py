"""The runtime of every process: settings, logs, metrics, health, start and stop. It knows no rule of a batch."""
