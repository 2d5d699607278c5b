"""The subcommands of bos."""
