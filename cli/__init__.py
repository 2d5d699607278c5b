"""The `bos` command: it composes and runs the processes, and looks after the cluster."""
