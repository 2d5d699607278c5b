"""What travels: topics, envelope, events, commands, status, history and HTTP bodies, in every wire era."""
