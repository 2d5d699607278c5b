"""The dashboard: pages rendered on the server from the services that the HTTP interface uses too."""
