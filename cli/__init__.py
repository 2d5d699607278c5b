"""The `bos` command: it runs the processes, manages topics, and starts the development broker."""
