"""The benchmark suites, one a file, and the tables that they fill in the documents."""
