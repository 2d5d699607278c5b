"""Who may call: credentials, scopes and bounds, the Host header, requests of foreign pages, and rates."""
