"""The launcher: starts, watches and stops one fleet on one machine; the command `fleet`."""
