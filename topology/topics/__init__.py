"""Topics of the deployment: provisioned, checked and watched."""
