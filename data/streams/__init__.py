"""Data that come batch by batch from a user's own iterator or from a loader of any framework."""
