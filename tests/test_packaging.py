"""What is shipped, and the shape of the house: nobody sees these break until an installed trivium misses a file, takes
ten seconds to say `--help`, or a framework's name has crept into a floor where it has no business.

The sources are read with `ast`, not imported, because most environments have only one framework.
"""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata, resources
from pathlib import Path

import house
import pytest

import trivium
from trivium.backends import catalog

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# NumPy is a backend and everybody's library: a package that trains is a framework.
FRAMEWORKS = {backend.package for backend in catalog.BACKENDS if backend.trains}
ROOMS = [backend.name for backend in catalog.BACKENDS]

# What each floor may import of ours: arrows point down only.
GROUND = {"errors", "functions"}
_BELOW_ENGINE = GROUND | {"data", "models", "backends", "graph", "notebook", "storage"}
ALLOWED = {
    "errors": set(),
    "functions": {"errors"},
    "storage": GROUND | {"storage"},
    "graph": GROUND | {"graph"},
    "models": GROUND | {"models"},
    "notebook": GROUND | {"notebook", "storage"},
    "backends": GROUND | {"backends", "graph", "storage"},
    "data": _BELOW_ENGINE,
    "engine": _BELOW_ENGINE | {"engine"},
    "porting": _BELOW_ENGINE | {"porting", "engine"},
    "comparison": _BELOW_ENGINE | {"comparison", "porting", "engine"},
    "benchmarks": _BELOW_ENGINE | {"benchmarks", "porting", "engine"},
    "cli": _BELOW_ENGINE | {"cli", "benchmarks", "comparison", "porting", "engine", "trivium"},
    "trivium": GROUND | {"comparison", "porting", "engine", "data", "models", "backends"},
    "__main__": {"cli"},
    "pytest_plugin": GROUND | {"comparison", "engine", "data", "models", "backends"},
}


# --- start-up -------------------------------------------------------------------------------------------------------


def loaded_by(statements: str) -> set[str]:
    """The top-level packages that a fresh process has loaded after these statements."""
    report = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{statements}; {report}"], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "statements",
    [
        "import trivium; trivium.TriviumError",
        "import trivium; trivium.use; trivium.recipe; dir(trivium)",
        "import trivium; trivium.train, trivium.Trainer, trivium.load, trivium.port, trivium.predict",
        "from trivium.models import recipe; recipe.registry()",
        "import trivium; trivium.search, trivium.cross_val_score, trivium.Classifier, trivium.verify",
        "from trivium.benchmarks.suites import search_speed, checkpoint_cost, overhead, scaling, inference",
        "import trivium.pytest_plugin",
        "from trivium.backends import runtime; from trivium.backends.workers import worker",
        "from trivium.benchmarks.suites import pooling_vs_striding, demo, book",
    ],
)
def test_no_framework_is_imported_before_one_is_needed(statements):
    assert not loaded_by(statements) & {*FRAMEWORKS, "keras"}


def test_import_trivium_loads_nothing_but_the_standard_library():
    assert not loaded_by("import trivium") & {"numpy", "click", "rich", "matplotlib", "sklearn", "PIL"}


# --- the public names -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", trivium.__all__)
def test_every_public_name_resolves(name, backend):
    assert getattr(trivium, name) is not None
    assert name in dir(trivium)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'trivium' has no attribute 'trian'"):
        trivium.trian  # noqa: B018


def test_type_checkers_see_the_names_where_they_load_from():
    block = next(
        node for node in tree_of(ROOT / "__init__.py").body if isinstance(node, ast.If) and "TYPE" in ast.dump(node)
    )
    seen = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name, "without `as` a type checker takes it for private"
            seen[alias.name] = f".{statement.module}"
    modules = {name: home.rpartition(".")[0] for name, home in trivium._MODULES.items()}
    assert seen == {**trivium._HOMES, **modules}
    assert trivium.__all__ == ["__version__", *sorted(seen)]


# --- what is shipped ------------------------------------------------------------------------------------------------


def folders(top: Path) -> Iterator[Path]:
    """The package's folders from `top` down; not its tests, nor what builds and environments leave behind."""
    if (top / "__init__.py").is_file():
        yield top
    for folder in sorted(path for path in top.iterdir() if path.is_dir()):
        left_out = folder.name.startswith(".") or folder.name in {"tests", "build", "dist"}
        if not left_out and not (folder / "pyvenv.cfg").exists():
            yield from folders(folder)


def dotted(folder: Path) -> str:
    return ".".join(["trivium", *folder.relative_to(ROOT).parts])


def test_the_list_of_packages_is_what_lies_on_disk():
    assert sorted(PYPROJECT["tool"]["setuptools"]["packages"]) == sorted(map(dotted, folders(ROOT)))


def test_there_is_one_version():
    assert trivium.__version__ == metadata.version("trivium") == PYPROJECT["project"]["version"]


def test_the_console_command_is_the_entry_point():
    (script,) = metadata.entry_points(group="console_scripts", name="trivium")
    from trivium.cli.main import main

    assert script.load() is main


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("trivium", "py.typed"),
        ("trivium.data", "samples/mnist.npz"),
        ("trivium.models", "measured.json"),
        ("trivium.storage", "schemas/files/run.json"),
    ],
)
def test_files_that_are_no_code_are_installed(package, file):
    assert resources.files(package).joinpath(*file.split("/")).is_file()


def test_each_backend_has_an_extra_and_all_is_their_sum():
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(ROOMS) <= set(extras)
    trainers = [backend.name for backend in catalog.BACKENDS if backend.trains]
    assert extras["all"] == [f"trivium[{','.join(trainers)}]"]


def test_the_core_depends_on_no_framework():
    names = {line.split(">")[0].strip() for line in PYPROJECT["project"]["dependencies"]}
    assert not names & {name for backend in catalog.BACKENDS if backend.trains for name in backend.distributions}


# --- the shape of the house -----------------------------------------------------------------------------------------


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> list[Path]:
    """Every module of the package; files of tests that lie in it are left out."""
    paths = (path for folder in folders(ROOT) for path in sorted(folder.glob("*.py")))
    return [path for path in paths if not path.name.startswith("test_")]


def names_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def ours(tree: ast.AST, package: list[str]) -> set[tuple[str, ...]]:
    """What a module imports of trivium: `("engine", "training", "Trainer")`; for a name at the top `("trivium",)`."""
    modules = [
        tuple(name.split(".")[1:]) for name in house.imported_names(tree, package) if name.split(".")[0] == "trivium"
    ]
    return {parts if parts and parts[0] in ALLOWED else ("trivium",) for parts in modules}


def package_of(path: Path) -> list[str]:
    return ["trivium", *path.relative_to(ROOT).parent.parts]


def floor_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else "trivium" if path.stem == "__init__" else path.stem


@pytest.mark.parametrize("path", modules(), ids=names_of)
def test_arrows_point_down(path):
    floors = {parts[0] for parts in ours(tree_of(path), package_of(path))}
    assert floors <= ALLOWED[floor_of(path)]


def test_an_arrow_that_points_up_would_be_found():
    tree = ast.parse(
        "def f():\n    from ..cli import main\n    from ..benchmarks.demo import run\n    from .x import y"
    )
    floors = {parts[0] for parts in ours(tree, ["trivium", "engine"])}
    assert floors - ALLOWED["engine"] == {"cli", "benchmarks"}


def test_every_room_has_a_floor():
    assert {house.floor_of(module) for module in house.modules()} == set(range(len(house.FLOORS)))


def test_arrows_between_rooms_point_down_inside_engine_and_backends_too():
    assert house.arrows_up() == []


def test_no_modules_import_each_other_in_a_circle():
    assert house.circles() == []


def test_a_circle_would_be_found():
    arrows = {"a": frozenset("b"), "b": frozenset("cd"), "c": frozenset("a"), "d": frozenset()}
    assert house.circles(arrows) == [["a", "b", "c"]]


def test_no_room_holds_more_than_a_share_of_the_house():
    assert max(house.shares(whole=True).values()) <= house.LARGEST_SHARE
    assert sum(house.shares().values()) == pytest.approx(1)


def test_no_file_is_too_long():
    assert house.long_files() == {}


def test_no_folder_is_too_full():
    assert {folder: size for folder, size in house.folder_sizes().items() if size > house.FULLEST_FOLDER} == {}


def test_values_are_named_by_what_they_are():
    assert len(house.participles()) <= house.MOST_PARTICIPLES, house.participles()


def test_the_measured_modules_are_the_packages():
    assert set(house.modules()) == set(map(names_of, modules()))


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*.py")), ids=names_of)
def test_a_family_of_recipes_knows_nothing_of_ours_but_recipe(path):
    assert {parts[:2] for parts in ours(tree_of(path), package_of(path)) if parts[0] == "models"} <= {
        ("models", "recipe")
    }


def decided_by(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression that something is decided by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
            yield node.test
        elif isinstance(node, ast.comprehension):
            yield from node.ifs
        elif isinstance(node, ast.Compare):
            yield node
        elif isinstance(node, ast.MatchValue):
            yield node.value


def frameworks_named(tree: ast.AST, package: list[str]) -> set[str]:
    """The frameworks that a module imports, or decides something by the name of."""
    named = {name.partition(".")[0] for name in house.imported_names(tree, package)} & FRAMEWORKS
    for expression in decided_by(tree):
        constants = (node.value for node in ast.walk(expression) if isinstance(node, ast.Constant))
        named |= {value for value in constants if isinstance(value, str)} & FRAMEWORKS
    return named


@pytest.mark.parametrize("path", modules(), ids=names_of)
def test_a_framework_is_named_only_in_its_own_room(path):
    parts = path.relative_to(ROOT).parts
    if parts[0] == "benchmarks" and len(parts) > 3:
        own = {parts[2]}
    else:
        own = {parts[1]} if parts[0] == "backends" and len(parts) > 2 else set()
    assert frameworks_named(tree_of(path), package_of(path)) <= own


@pytest.mark.parametrize(
    "source",
    [
        "import jax.numpy as jnp",
        "from jax import lax",
        "if backend == 'jax': pass",
        "x = 1 if 'jax' in name else 2",
        "match backend:\n    case 'jax': pass",
        "[b for b in backends if b.startswith('jax')]",
    ],
)
def test_a_framework_named_elsewhere_would_be_found(source):
    assert frameworks_named(ast.parse(source), ["trivium", "engine"]) == {"jax"}


# --- the rooms mirror each other ------------------------------------------------------------------------------------

ALWAYS = {"__init__.py", "runtime.py", "portable_random.py", "artifacts.py"}
FOR_TRAINING = {"epochs.py", "devices.py", "layers.py"}
INTERFACE = {"runtime", "portable_random", "artifacts", "epochs", "devices", "layers", "source"}


def interface_of(backend: catalog.Backend) -> set[str]:
    """The files that a room must have: by what the catalogue says that the backend can do."""
    return ALWAYS | (FOR_TRAINING if backend.trains else set()) | ({"source"} if backend.writes_source else set())


def class_based_on(path: Path, base: str) -> ast.ClassDef:
    (definition,) = (
        node
        for node in tree_of(path).body
        if isinstance(node, ast.ClassDef) and base in {ast.unparse(expression) for expression in node.bases}
    )
    return definition


def signatures(owner: ast.ClassDef, *, abstract: bool = False) -> dict[str, str]:
    """Each public method's arguments and result, as written."""
    return {
        node.name: f"({ast.unparse(node.args)}) -> {ast.unparse(node.returns) if node.returns else '?'}"
        for node in owner.body
        if isinstance(node, ast.FunctionDef) and (not abstract or "abstractmethod" in ast.dump(node))
    }


def test_there_is_a_room_for_each_backend_and_no_other():
    assert sorted(path.parent.name for path in (ROOT / "backends").glob("*/runtime.py")) == sorted(ROOMS)


@pytest.mark.parametrize("backend", catalog.BACKENDS, ids=lambda backend: backend.name)
def test_a_room_holds_the_files_of_its_capabilities(backend):
    """What one room has beyond the others is its own affair: nobody outside of it imports that."""
    files = {path.name for path in (ROOT / "backends" / backend.name).iterdir()}
    every = ALWAYS | FOR_TRAINING | {"source"}
    assert files & every == interface_of(backend)


@pytest.mark.parametrize("path", modules(), ids=names_of)
def test_what_only_one_room_has_is_imported_within_it_only(path):
    package = package_of(path)
    for name in house.imported_names(tree_of(path), package):
        parts = name.split(".")
        if parts[:2] == ["trivium", "backends"] and len(parts) > 3 and parts[2] in ROOMS and package[2:3] != [parts[2]]:
            assert parts[3] in INTERFACE, f"{name} is private to its room"


def runtime_class(room: str) -> tuple[ast.ClassDef, dict[str, str]]:
    """A room's runtime, and the signatures of all that it answers, those of `InferenceOnly` included."""
    path = ROOT / "backends" / room / "runtime.py"
    if catalog.find(room).trains:
        runtime = class_based_on(path, "Runtime")
        return runtime, signatures(runtime)
    runtime = class_based_on(path, "InferenceOnly")
    shared = signatures(class_based_on(ROOT / "backends" / "inference_only.py", "Runtime"))
    return runtime, {**shared, **signatures(runtime)}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_answers_the_whole_interface_with_the_same_signatures(room):
    wanted = signatures(class_based_on(ROOT / "backends" / "runtime.py", "ABC"), abstract=True)
    runtime, answered = runtime_class(room)
    assert len(wanted) >= 6
    assert {name: answered.get(name) for name in wanted} == wanted
    own = [name for name in signatures(runtime) if name in wanted]
    assert own == [name for name in wanted if name in own], "the same methods in the same order"
    everything = signatures(class_based_on(ROOT / "backends" / "runtime.py", "ABC"))
    assert answered.items() <= everything.items(), "nothing that the others do not answer too"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_one_runtime(room):
    path = ROOT / "backends" / room / "runtime.py"
    assigned = {
        target.id: ast.unparse(node.value)
        for node in tree_of(path).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert assigned["RUNTIME"] == f"{runtime_class(room)[0].name}()"
