"""Parameter search: scikit-learn estimators, cross-validation, and grid search in warm workers."""
