"""The sources of data, one file for each kind. `engine.data.datasets.load` finds them by name."""
