"""Preprocessing: small steps, fitted on the training split and stored with the model."""
