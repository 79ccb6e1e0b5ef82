"""The suites of `trivium bench`, one file each."""
