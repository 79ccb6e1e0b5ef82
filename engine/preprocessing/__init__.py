"""Preprocessing: small steps that are fitted on the training split and travel with the model."""
