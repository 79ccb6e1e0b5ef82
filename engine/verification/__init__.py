"""Verification: the same model measured on several backends, and compared within tolerances."""
