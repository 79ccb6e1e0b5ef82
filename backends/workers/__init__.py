"""Workers: processes that each run functions under one backend, on this machine or in a Ray cluster."""
