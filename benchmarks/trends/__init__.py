"""Results over time: a history that `trivium bench --history` appends to, and where a time has changed in it."""
