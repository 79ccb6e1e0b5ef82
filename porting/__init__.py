"""Port trained models to backends, serving formats and native source; every port is verified before it is kept."""
