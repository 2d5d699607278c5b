"""The projector: status, history and dead letters into the projection database."""
