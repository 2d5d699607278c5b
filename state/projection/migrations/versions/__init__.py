"""One module for each step of the schema; what is released does not change."""
