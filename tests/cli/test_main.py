"""The entry point: fast help, and the right exit code and message for every failure."""

import importlib
import json
import os
import subprocess
import sys

import click
import pytest

from trivium import __version__
from trivium.cli.common import default_out, parse_assignments, seconds, table
from trivium.cli.main import COMMANDS
from trivium.errors import OptionError


def options_of(command):
    click_command = importlib.import_module(f"trivium.cli.{command}").command
    return {name for parameter in click_command.params for name in parameter.opts}


# --- help -----------------------------------------------------------------------------------------------------------


def test_help_lists_every_command_with_a_summary(cli):
    shown = cli("--help")
    assert shown.code == 0
    listed = {line.split()[0]: line.split()[1:] for line in shown.out.partition("Commands:")[2].splitlines() if line}
    assert set(listed) == set(COMMANDS)
    assert all(len(summary) >= 3 for summary in listed.values())


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_with_an_example(cli, command, option):
    shown = cli(command, option)
    assert shown.code == 0
    assert f"trivium {command}" in shown.out.partition("Example:")[2].partition("Options:")[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_json_and_debug(command):
    assert {"--json", "--debug"} <= options_of(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command):
    click_command = importlib.import_module(f"trivium.cli.{command}").command
    assert all(option.help for option in click_command.params if isinstance(option, click.Option))


def test_no_command_shows_the_help_and_is_bad_input(cli):
    shown = cli()
    assert shown.code == 2
    assert "Commands:" in shown.out


def test_the_version_is_told(cli):
    shown = cli("--version")
    assert (shown.code, shown.out.split()) == (0, ["trivium,", "version", __version__])


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["backends"], ["recipes"], ["recipes", "--json"]]
)
def test_a_command_that_needs_no_framework_imports_none(backend, arguments):
    source = (
        "import sys\nfrom trivium.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as stopped: assert stopped.code == 0\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", source], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


# --- exit codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian", "cnn/striding"], "trian"),
        (["--nosuch"], "--nosuch"),
        (["train"], "RECIPE"),
        (["train", "cnn/striding", "--epochs", "many"], "'many' is not a valid integer"),
        (["train", "cnn/striding", "--epochs"], "requires an argument"),
        (["train", "cnn/striding", "--threads", "0"], "--threads"),
        (["port", "somewhere"], "--to"),
        (["bench", "nosuch"], "pooling-vs-striding"),
        (["bench", "pooling-vs-striding", "--budget", "0"], "--budget"),
        (["predict", "somewhere"], "INPUTS"),
    ],
)
def test_a_wrong_command_line_is_one_line(refused, arguments, message):
    assert message in refused(*arguments)


def test_debug_shows_the_traceback_and_the_same_line(cli, refused):
    line = refused("train", "nosuch")
    shown = cli("train", "nosuch", "--debug")
    assert shown.code == 2
    assert "Traceback (most recent call last)" in shown.err
    assert "RecipeError" in shown.err
    assert shown.complaint == line


def broken(error):
    def stop(*_, **__):
        raise error

    return stop


def test_a_bug_looks_like_one(cli, monkeypatch):
    monkeypatch.setattr("trivium.backends.catalog.selected", broken(ZeroDivisionError("a bug")))
    shown = cli("backends")
    assert shown.code == 70
    assert "ZeroDivisionError: a bug" in shown.err
    assert shown.complaint == "trivium: this is a bug in trivium, not in what you gave it"


def test_ctrl_c_ends_with_its_own_code(cli, monkeypatch):
    monkeypatch.setattr("trivium.backends.catalog.selected", broken(KeyboardInterrupt()))
    shown = cli("backends")
    assert (shown.code, shown.err) == (130, "\ntrivium: stopped\n")


@pytest.mark.parametrize("option", [["--json"], []])
def test_a_reader_that_closes_the_pipe_is_no_error(backend, option):
    listing = subprocess.Popen(
        [sys.executable, "-m", "trivium", "recipes", *option], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    listing.stdout.close()
    assert listing.stderr.read() == b""
    listing.stderr.close()
    assert listing.wait() == 0


# --- the backend ----------------------------------------------------------------------------------------------------

# The commands that run on one backend, with arguments that would otherwise do; `--backend` comes first of all.
ON_A_BACKEND = [
    ["train", "cnn/striding"],
    ["evaluate", "nowhere"],
    ["predict", "nowhere", "nothing.npy"],
    ["recipes", "cnn/striding"],
]


@pytest.mark.parametrize("arguments", ON_A_BACKEND, ids=lambda arguments: arguments[0])
def test_an_unknown_backend_is_refused_with_the_known_ones(refused, backend, arguments):
    line = refused(*arguments, "--backend", "nosuch")
    assert line.startswith(
        "trivium: unknown backend 'nosuch': choose one of tensorflow, jax, torch, numpy (installed: "
    )
    assert backend.name in line


@pytest.mark.parametrize("arguments", ON_A_BACKEND, ids=lambda arguments: arguments[0])
def test_a_missing_backend_is_refused_with_the_line_that_installs_it(refused, others, not_installed, arguments):
    not_installed(*others)
    line = refused(*arguments, "--backend", others[0])
    assert f"backend '{others[0]}' is not installed" in line
    assert line.endswith(f"run: pip install 'trivium[{others[0]}]'")


@pytest.mark.several_backends
@pytest.mark.parametrize("arguments", ON_A_BACKEND, ids=lambda arguments: arguments[0])
def test_a_backend_beside_the_one_that_keras_runs_on_is_refused(refused, backend, others, arguments):
    line = refused(*arguments, "--backend", others[-1])
    assert f"Keras is already imported under '{backend.name}'" in line


def test_a_switch_to_nowhere_is_refused_in_a_fresh_process(process, here):
    shown = process("train", "cnn/striding", KERAS_BACKEND="nosuch")
    assert (shown.code, shown.out) == (2, "")
    assert shown.err == shown.complaint + "\n"
    assert "unknown backend 'nosuch'" in shown.complaint
    assert list(here.iterdir()) == []


@pytest.mark.one_environment
def test_a_fresh_process_says_nothing_but_its_one_line_even_after_importing_a_framework(process, here, backend):
    shown = process("train", "cnn/striding", "--data", "waves:0:20", KERAS_BACKEND=backend.name)
    assert (shown.code, shown.out) == (2, "")
    assert shown.err == shown.complaint + "\n"
    assert "waves:0:20: cnn/striding cannot take this" in shown.complaint
    assert list(here.iterdir()) == []


# --- what the subcommands share -------------------------------------------------------------------------------------


def test_assignments_are_json_where_they_can_be_and_words_elsewhere():
    parsed = parse_assignments(("units=64", "rate=0.5", "filters=[8,4]", "flag=true", "name=relu", "empty=", "a=b=c"))
    assert parsed == {
        "units": 64,
        "rate": 0.5,
        "filters": (8, 4),
        "flag": True,
        "name": "relu",
        "empty": "",
        "a": "b=c",
    }


@pytest.mark.parametrize("wrong", ["units", "=64", ""])
def test_an_assignment_without_name_or_value_is_refused(wrong):
    with pytest.raises(OptionError, match=f"--set {wrong}: expected NAME=VALUE, such as --set units=64"):
        parse_assignments((wrong,))


@pytest.mark.parametrize(
    ("recipe", "folder"),
    [("cnn/striding", "runs/cnn-striding"), ("some/where/my_model.py:build", "runs/my_model-build")],
)
def test_a_run_has_a_place_of_its_own(recipe, folder):
    assert default_out(recipe).as_posix() == folder


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, "0"), (1234.5, "1234"), (12.345, "12.3"), (0.0012345, "0.00123"), (1.2e-5, "1.2e-05")],
)
def test_seconds_have_three_digits(value, shown):
    assert seconds(value) == shown


def test_json_holds_no_nan(cli, monkeypatch):
    monkeypatch.setattr("trivium.cli.backends._row", lambda backend: {"name": backend.name, "version": float("nan")})
    assert cli("backends", "--json").code == 70, "JSON has no NaN: better a bug report than a file nobody can read"


def test_the_environment_is_not_left_changed_by_these_tests():
    assert "TRIVIUM_DEBUG" not in os.environ
    assert json.dumps(dict(os.environ))


@pytest.mark.parametrize("width", [80, 60])
def test_a_narrow_terminal_keeps_what_one_has_to_type(width):
    from rich.console import Console

    rows = table("recipe", "summary", "parameters", "published", right=("parameters",))
    names = ("cnn/striding-batchnorm", "functional/digit-or-not")
    for name in names:
        rows.add_row(name, "a summary that is longer than a narrow terminal", "1,286,001", "0.9911, 45 s an epoch")
    screen = Console(width=width)
    with screen.capture() as shown:
        screen.print(rows)
    assert all(name in shown.get() for name in names)
