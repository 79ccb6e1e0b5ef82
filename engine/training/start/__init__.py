"""What a run starts from instead of new weights: a trained model, its file, or the weights of some of its layers."""
