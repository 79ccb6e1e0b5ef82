"""Training until a metric of the validation reaches a target: the target, one run to it, and the figures of many."""
