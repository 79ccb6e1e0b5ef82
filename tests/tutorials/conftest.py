"""The command line, for the tutorials."""

from command_line import cli as cli
from command_line import here as here
