"""The subcommands of `bos`."""
