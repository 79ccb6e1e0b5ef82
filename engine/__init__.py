"""What happens to a model: its data, preparation, training, evaluation, its file, and its way to another backend."""
