"""Bundles: trained models in one file, with everything needed to use them, read without running code."""
