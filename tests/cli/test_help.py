"""The help: nothing is cut, no word is broken, and many options stand in groups."""

import click
import pytest
from click.testing import CliRunner

from trivium.cli.main import cli
from trivium.cli.train import command as train

pytestmark = pytest.mark.plain


def commands(group=cli, path=()):
    """Every command with the words that call it; groups too."""
    yield path, group
    for name in group.list_commands(None) if isinstance(group, click.Group) else ():
        yield from commands(group.get_command(None, name), (*path, name))


PAGES = dict(commands())


def page(path, width=80):
    return CliRunner().invoke(cli, [*path, "--help"], prog_name="trivium", terminal_width=width).output


@pytest.mark.parametrize("path", PAGES, ids=lambda path: " ".join(path) or "trivium")
def test_no_help_is_cut_or_broken_at_80_columns(path):
    text = page(path)
    assert "..." not in text.partition("\n")[2], "a short help is cut"
    assert max(map(len, text.splitlines())) <= 80
    words = set(text.split())
    for option in PAGES[path].params:
        if isinstance(option, click.Option):
            broken = {word for word in option.help.split() if word not in words}
            assert not broken, f"{option.opts}: at 80 columns these words do not fit into a line: {broken}"


def test_every_option_of_a_training_stands_in_a_group():
    titles = [line[:-1] for line in page(("train",)).splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["Model", "Data", "Training", "Backend and devices", "Output", "Further options"]
    shown = {line.split()[0].rstrip(",") for line in page(("train",)).splitlines() if line.startswith("  -")}
    assert {each.opts[0] for each in train.params if isinstance(each, click.Option)} <= shown


def test_a_command_with_few_options_has_one_list():
    assert "\nOptions:\n" in page(("save",))
    assert "\nOutput:\n" not in page(("save",))


@pytest.mark.parametrize("suite", [path for path in PAGES if path[:1] == ("bench",) and len(path) > 1], ids="-".join)
def test_every_suite_has_a_quick_first_look(suite):
    option = next(each for each in PAGES[suite].params if each.name == "quick")
    assert option.is_flag
    assert "  --quick " in page(suite).partition("Measuring:")[2].partition("\n\n")[0]
