"""Migrations of the projection database. Run by `state.projection.schema.migrate`, on its connection."""
