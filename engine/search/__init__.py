"""Search: estimators for scikit-learn, cross-validation and grids in warm workers."""
