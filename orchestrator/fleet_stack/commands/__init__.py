"""The subcommands of `fleet`, one module each, loaded by dotted name."""
