"""The entry point: runs a subcommand, and turns an exception into one line and an exit code.

Exit codes: 0 success; 1 a check failed; 2 bad input; 70 a bug in trivium, with its traceback; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import traceback
import warnings
from typing import Any

import click
from click.shell_completion import CompletionItem

from .. import __version__
from ..backends import quiet_imports
from ..errors import TriviumError
from ..storage.visible_text import visible
from .common import COMPLETION_VARIABLE, DEBUG_VARIABLE, say

# What the operating system refuses: a path, a permission, or space. The code is not at fault.
_REFUSALS = (
    *(errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
)

_format_warning = warnings.formatwarning

COMMANDS = (
    "backends",
    "recipes",
    "data",
    "train",
    "search",
    "runs",
    "save",
    "evaluate",
    "predict",
    "generate",
    "inspect",
    "verify",
    "compare",
    "transfer",
    "port",
    "bench",
    "report",
    "demo",
    "completion",
)


class _CommandGroup(click.Group):
    """Group that imports the module of a subcommand only when it is used, so that `--help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f".{cmd_name}", __package__).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete the names alone: their summaries would import every module."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name) for name in COMMANDS if name.startswith(incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output closed the pipe, which Click treats as a failure
            _drop_output()
            return 0


@click.command(cls=_CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="trivium")
def cli() -> None:
    """One Keras 3 model on TensorFlow, JAX and PyTorch: compared, proved the same, ported.

    Choose the backend with --backend, or with the environment variable KERAS_BACKEND.

    \b
    Example:
      trivium train cnn/striding --epochs 3 --backend jax --out runs/digits
      trivium port runs/digits --to torch
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an encoding may lack a character, such as a dash
            stream.reconfigure(errors="replace")
    warnings.formatwarning = _visible_warning
    quiet_imports.import_frameworks_quietly()
    if COMPLETION_VARIABLE in os.environ:
        from .completion.shells import complete

        sys.exit(complete(cli))
    try:
        code = cli.main(arguments, prog_name="trivium", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        code = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("trivium: stopped", err=True)
        code = 130
    except SystemExit as stopped:  # not Click, which does not exit here
        code = _print_error(f"a file of yours called sys.exit({stopped.code!r}): take that out")
    except Exception as error:
        text = _refusal(error)
        code = _print_bug() if text is None else _print_error(text)
    sys.exit(_flushed(code if isinstance(code, int) else 0))


def _flushed(code: int) -> int:
    """Write out what is still to be printed, and return the exit code; 2 if that cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _drop_output()
        if code == 0 and error.errno != errno.EPIPE:
            return _print_error(f"cannot write: {error.strerror}")
    return code


def _drop_output() -> None:
    """Drop what is still to be printed: Python tries to write it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refusal(error: Exception) -> str | None:
    """Return the line that tells an error for which the user or the machine is the reason; None for a bug."""
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, TriviumError):
        return str(error)
    if isinstance(error, MemoryError):
        return "this needs more memory than there is: use less data, or a smaller model"
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return f"cannot use {error.filename}: {error.strerror}" if error.filename else f"cannot write: {error.strerror}"
    return None


def _print_bug() -> int:
    """Print the traceback on standard error. Return the exit code."""
    _print_traceback()
    click.echo("trivium: this is a bug in trivium, not in what you gave it", err=True)
    return 70


def _print_error(text: str) -> int:
    """Print one line on standard error, with the traceback if `--debug` is set. Return the exit code."""
    if os.environ.get(DEBUG_VARIABLE):
        _print_traceback()
    say("trivium: " + " ".join(text.split()))
    return 2


def _visible_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning as Python shows it: a library may warn of a text from a file."""
    return visible(_format_warning(message, category, filename, lineno, line), keep="\n")


def _print_traceback() -> None:
    click.echo(visible(traceback.format_exc(), keep="\n"), err=True, nl=False)
