"""The played peers: simulated services that judge what they get by the wire contract alone."""
