"""Pipeline definitions: phases, dependencies, deadlines and retry policy."""
