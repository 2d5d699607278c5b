"""Supervision of the processes of one machine: start, watch, restart."""
