"""Where data come from: one file for each kind of source. `engine.datasets.load` finds them by name."""
