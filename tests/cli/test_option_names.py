"""The library's errors name parameters, the command line's name options."""

import click
import pytest

from trivium.cli.options.option_names import with_options

pytestmark = pytest.mark.one_environment

PARAMETERS = [
    click.Option(["--replace-head"]),
    click.Option(["--from", "start"]),
    click.Option(["--set", "assignments"]),
    click.Option(["--checkpoint", "checkpoints"]),
    click.Argument(["recipe"]),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`replace_head` needs 2 classes", "--replace-head needs 2 classes"),
        ("add `start` BUNDLE", "add --from BUNDLE"),
        ("add `options` units=…", "add --set units=…"),
        ("give two `checkpoint`", "give two --checkpoint"),
        ("run `trivium recipes`", "run `trivium recipes`"),
        ("`nothing` of this command, `recipe` neither", "`nothing` of this command, `recipe` neither"),
    ],
)
def test_a_parameter_in_backticks_becomes_its_option(text, expected):
    assert with_options(text, PARAMETERS) == expected


def test_the_same_error_names_the_parameter_in_python_and_the_option_in_the_shell(refused, backend):
    from trivium.engine.training.trainer import Trainer
    from trivium.errors import OptionError

    with pytest.raises(OptionError, match=r"^`replace_head` needs a trained model to start from"):
        Trainer("dense/small", replace_head=3)
    line = refused("train", "dense/small", "--replace-head", "3")
    assert "--replace-head needs a trained model to start from: add --from BUNDLE" in line
