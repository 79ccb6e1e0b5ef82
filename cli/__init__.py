"""The command line: one file a subcommand, holding its options, one call into the floors below, and what it prints."""
