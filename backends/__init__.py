"""Ground floor: what a framework is and how to talk to it. Knows nothing of recipes, data or training runs."""
