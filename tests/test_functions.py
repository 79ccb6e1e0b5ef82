"""A function is sent to another process by name, and the name leads back to the same function."""

import json
import os

import pytest

from trivium import functions
from trivium.errors import RecipeError
from trivium.functions import function_name, load_function

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (functions.suggest, "trivium.functions:suggest"),
        (json.dumps, "json:dumps"),
        (len, "builtins:len"),
        (os.path.join, "posixpath:join"),
    ],
)
def test_a_function_of_a_module_is_loaded_by_its_name(function, name):
    assert function_name(function) == name
    assert load_function(name) is function


def test_a_function_of_a_file_is_named_by_its_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def double(x):\n    return 2 * x\n")
    double = load_function(f"{file}:double")
    assert function_name(double) == f"{file}:double"
    assert load_function(function_name(double))(21) == 42


def test_a_name_is_returned_unchanged():
    assert function_name("mine.py:double") == "mine.py:double"


@pytest.mark.parametrize("function", [lambda: None, pytest.mark.plain.with_args], ids=["lambda", "method"])
def test_a_function_that_no_other_process_can_find_is_refused(function):
    with pytest.raises(TypeError, match="is not at the top of a module"):
        function_name(function)


def test_an_edited_file_is_loaded_again(tmp_path):
    path = tmp_path / "edited.py"
    path.write_text("def answer():\n    return 1\n")
    first = load_function(f"{path}:answer")
    assert load_function(f"{path}:answer") is first
    path.write_text("def answer():\n    return 2\n")
    assert load_function(f"{path}:answer")() == 2


def test_a_file_that_ends_the_program_is_refused(tmp_path):
    (tmp_path / "ends.py").write_text("import sys\nsys.exit(0)\n\ndef build():\n    pass\n")
    with pytest.raises(RecipeError, match=r"ends.py: SystemExit: 0"):
        load_function(f"{tmp_path}/ends.py:build")
