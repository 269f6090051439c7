"""The subcommands of `fleet`, one module each; only `cli` loads them, by dotted name."""
