"""Controlling a batch: cancel, pause, resume, and retry of a phase."""
