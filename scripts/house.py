"""Measure the structure of the package: its rooms, their floors, and what breaks the rules of CONTRIBUTING.md.

    python scripts/house.py

A room is a top-level folder or file, or a folder of `engine/` or `backends/`. `FLOORS` lists the rooms from the ground
up: a module imports its own room and lower ones. The sources are parsed, not imported, so that this runs without any
framework. `tests/test_packaging.py` checks each figure that is printed here.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FLOORS = (
    *("errors.py", "functions.py", "storage", "graph", "models", "notebook"),
    *("backends", "backends/workers", "backends/same_run", "backends/distribution", "backends/written_losses"),
    "backends/FRAMEWORK",
    "data",
    *("engine/keras_model", "engine/epochs", "engine/runs", "engine/tracking", "engine/bundles"),
    *("engine/plots", "engine/prediction", "engine/training", "engine/search", "engine/verification", "engine"),
    *("porting", "comparison", "pytest_plugin.py", "benchmarks", "__init__.py", "cli", "__main__.py"),
)
LARGEST_SHARE = 0.30  # of the package's lines
LONGEST_FILE = 400  # lines
FULLEST_FOLDER = 25  # modules
# Names that say how a value came about, not what it is.
PARTICIPLES = frozenset(("found", "given", "made", "kept", "asked", "told", "held"))
MOST_PARTICIPLES = 39  # assignments

_LEFT_OUT = {"tests", "scripts", "docs", "build", "dist", "runs"}
_DIVIDED = ("engine", "backends")


@cache
def modules() -> tuple[str, ...]:
    """Return the paths of the package's modules, relative to the root; the tests among them are left out."""
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return tuple(
        sorted(
            path.as_posix()
            for path in paths
            if path.parts[0] not in _LEFT_OUT and path.parts[0][0] != "." and not path.name.startswith("test_")
        )
    )


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text("utf-8"), module)


@cache
def lines_of(module: str) -> int:
    return len((ROOT / module).read_text("utf-8").splitlines())


def floor_of(module: str) -> int:
    """Return the floor of a module's room, counted from the ground; frameworks' rooms share one."""
    room = room_of(module)
    is_framework = room.startswith("backends/") and (ROOT / room / "runtime.py").is_file()
    return FLOORS.index("backends/FRAMEWORK" if is_framework else room)


def room_of(module: str) -> str:
    """Return the room that a module stands in, as `FLOORS` names it."""
    parts = module.split("/")
    if len(parts) == 1:
        return module
    return "/".join(parts[:2]) if parts[0] in _DIVIDED and len(parts) > 2 else parts[0]


def imported_names(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Yield the full dotted name of everything that a module in `package` imports, at its top or in a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return the modules of the package that a module imports."""
    package = ["trivium", *module.split("/")[:-1]]
    targets = {_module_named(name) for name in imported_names(tree_of(module), package)}
    return frozenset(target for target in targets if target and target != module)


def _module_named(name: str) -> str | None:
    """Return the module that a dotted name leads to: `trivium.engine.runs.run.Run` to `engine/runs/run.py`."""
    first, *parts = name.split(".")
    if first != "trivium":
        return None
    for count in range(len(parts), -1, -1):
        path = "/".join(parts[:count])
        for candidate in (f"{path}.py", f"{path}/__init__.py" if path else "__init__.py"):
            if candidate in modules():
                return candidate
    return None


def circles(arrows: Mapping[str, frozenset[str]] | None = None) -> list[list[str]]:
    """Return the groups of modules that import each other in a circle (Tarjan, 1972)."""
    graph = arrows if arrows is not None else {module: imports_of(module) for module in modules()}
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in graph.get(module, ()):
            if target not in number:
                visit(target)
            if target in stack:
                lowest[module] = min(lowest[module], lowest[target])
        if lowest[module] == number[module]:
            place = stack.index(module)
            groups.append(sorted(stack[place:]))
            del stack[place:]

    for module in graph:
        if module not in number:
            visit(module)
    return [group for group in groups if len(group) > 1]


def arrows_up() -> list[tuple[str, str]]:
    """Return each import of a higher room, as (module, imported module)."""
    return [
        (module, target)
        for module in modules()
        for target in sorted(imports_of(module))
        if floor_of(target) > floor_of(module)
    ]


def shares(*, whole: bool = False) -> dict[str, float]:
    """Return each room's share of the package's lines, the largest first.

    Args:
        whole: whether `engine/` and `backends/` count as one room each, with all rooms inside them.
    """
    counts: Counter[str] = Counter()
    for module in modules():
        counts[module.partition("/")[0] if whole else room_of(module)] += lines_of(module)
    total = sum(counts.values())
    return {room: count / total for room, count in counts.most_common()}


def long_files() -> dict[str, int]:
    return {module: lines_of(module) for module in modules() if lines_of(module) > LONGEST_FILE}


def folder_sizes() -> dict[str, int]:
    """Return how many modules lie in each folder, `__init__.py` not counted."""
    sizes: dict[str, int] = defaultdict(int)
    for module in modules():
        folder, _, name = module.rpartition("/")
        sizes[folder] += name != "__init__.py"
    return dict(sizes)


def participles() -> list[tuple[str, int, str]]:
    """Return each assignment to a name of `PARTICIPLES`, as (module, line, name)."""
    return [
        (module, node.lineno, node.id)
        for module in modules()
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in PARTICIPLES
    ]


def main() -> None:
    print(f"{len(modules())} modules, {sum(map(lines_of, modules())):,} lines\n")
    for rooms in (shares(whole=True), shares()):
        for room, share in rooms.items():
            if share >= 0.01:
                print(f"{share:6.1%}  {room}")
        print()
    fullest = max(folder_sizes().items(), key=lambda item: item[1])
    longest = max(modules(), key=lines_of)
    print(f"largest room      {max(shares(whole=True).values()):.1%} (at most {LARGEST_SHARE:.0%})")
    print(f"circles           {len(circles())}")
    print(f"arrows up         {len(arrows_up())}")
    print(f"longest file      {lines_of(longest)} lines, {longest} (at most {LONGEST_FILE})")
    print(f"fullest folder    {fullest[1]} modules, {fullest[0]} (at most {FULLEST_FOLDER})")
    print(f"participles       {len(participles())} assignments of {', '.join(sorted(PARTICIPLES))}")
    for group in circles():
        print("circle:", " ".join(group))
    for module, target in arrows_up():
        print(f"up: {module} imports {target}")


if __name__ == "__main__":
    main()
