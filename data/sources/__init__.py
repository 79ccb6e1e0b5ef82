"""The sources of data, one file for each kind. `data.datasets.load` finds them by name."""
