"""Questions about a Keras model itself: its layers, its drawing, its answers in batches, its float64 twin."""
