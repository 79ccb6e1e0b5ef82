"""Options that several subcommands share, and the rules by which they are read."""
