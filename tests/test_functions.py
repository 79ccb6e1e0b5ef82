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


def test_an_edited_module_beside_the_file_is_loaded_again(tmp_path):
    (tmp_path / "sizes_beside.py").write_text("from units_beside import UNITS\n")
    (tmp_path / "units_beside.py").write_text("UNITS = 3\n")
    (tmp_path / "model.py").write_text("from sizes_beside import UNITS\n\ndef units():\n    return UNITS\n")
    first = load_function(f"{tmp_path}/model.py:units")
    assert (first(), load_function(f"{tmp_path}/model.py:units")) == (3, first)
    (tmp_path / "units_beside.py").write_text("UNITS = 77\n")
    assert load_function(f"{tmp_path}/model.py:units")() == 77


def test_each_file_imports_from_its_own_folder(tmp_path):
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "units_of_folder.py").write_text(f"UNITS = {number}\n")
        (folder / "model.py").write_text("from units_of_folder import UNITS\n\ndef units():\n    return UNITS\n")
    assert [load_function(f"{tmp_path}/{number}/model.py:units")() for number in (1, 2, 1)] == [1, 2, 1]


def test_a_file_that_ends_the_program_is_refused(tmp_path):
    (tmp_path / "ends.py").write_text("import sys\nsys.exit(0)\n\ndef build():\n    pass\n")
    with pytest.raises(RecipeError, match=r"ends.py: SystemExit: 0"):
        load_function(f"{tmp_path}/ends.py:build")


def test_a_file_imports_its_neighbours_before_others_of_their_name(tmp_path):
    for name, value in (("first", 1), ("second", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "neighbour.py").write_text(f"VALUE = {value}\n")
        (folder / "difflib.py").write_text(f"VALUE = {value}\n")  # Python's own is imported already
        (folder / "mine.py").write_text("import neighbour\n\ndef answer():\n    return neighbour.VALUE\n")
    answers = [load_function(f"{tmp_path}/{name}/mine.py:answer") for name in ("first", "second")]
    assert [answer() for answer in answers] == [1, 2]
    assert functions.difflib.get_close_matches


def test_a_file_does_not_move_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moves.py").write_text("import os\nos.chdir('/')\n\ndef here():\n    return os.getcwd()\n")
    assert load_function("moves.py:here")() == str(tmp_path) == os.getcwd()


@pytest.mark.parametrize(
    ("function", "counts"), [(lambda a, b=0: None, [1, 2]), (lambda *a: None, [0, 1, 2]), (lambda: None, [0])]
)
def test_the_number_of_arguments_that_a_function_takes(function, counts):
    assert [count for count in range(3) if functions.takes_arguments(function, count)] == counts
