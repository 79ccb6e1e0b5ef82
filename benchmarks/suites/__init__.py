"""The benchmark suites, one per file, and the tables in docs/ that are generated from their results."""
