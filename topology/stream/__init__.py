"""The stream application of processes with state, and the consume loop of processes without."""
