"""The life of a model: its data, preprocessing, training, runs, bundle, predictions, search and verification."""
