"""The same run on every backend: portable random numbers, initial weights and crossentropies."""
