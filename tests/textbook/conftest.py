"""The command line, for the rows of docs/textbook.md."""

from command_line import cli as cli
from command_line import here as here
