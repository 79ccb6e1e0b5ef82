"""Fixtures that run the command line, as in `tests/cli`."""

from command_line import cli as cli
from command_line import here as here
