"""The command line: one file for each subcommand, with its options, one call into the library, and its output."""
