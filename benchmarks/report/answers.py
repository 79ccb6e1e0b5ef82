"""The question that each suite asks, and its answer in sentences: what the ratios and their intervals say, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..results import STEADY
from ..statistics import LEAST_ROUNDS
from .figures import differs, duration, interval, words
from .reading import Part, Row, varied

QUESTIONS = {
    "epochs": "Which backend is fastest here?",
    "pooling-vs-striding": "What does pooling cost against striding, and why?",
    "batch-size": "What does a larger batch buy, and what does it cost?",
    "data-size": "How do time and error grow with the data?",
    "import": "What does a user wait for, from starting Python to the first answer?",
    "inference": "How fast does a trained model answer?",
    "overhead": "What do Keras' fit and a loop written by hand take beside trivium?",
    "masks": "What does dropout that is the same on every backend cost beside the native one?",
    "checkpoint": "What does a checkpoint cost a run?",
    "scaling": "What do two workers gain over one?",
    "search": "How much sooner does a search end than fit after fit?",
    "book": "What do the recipes give on this machine?",
}


def question(part: Part) -> str:
    """What the suite asks; of a suite that is not known here, its name."""
    return QUESTIONS.get(part.suite, f"What was found by {part.suite}?")


def answer(part: Part) -> list[str]:
    """The answer, a sentence or a few."""
    said = list(_ANSWERS.get(part.suite, _compared)(part))
    return said or ["Nothing was compared: the figures below stand for themselves."]


def remarks(part: Part) -> list[str]:
    """What a reader has to know to believe it: how it was measured, what failed, whether the machine was busy."""
    said = list(_rounds(part))
    load = part.get("load", {})
    if load.get("busy"):
        said.append(
            f"The machine was busy before this began (load {str(load.get('average'))[:5]} on {load.get('cores')} "
            "cores): times are longer, and ratios less certain, than on a quiet one."
        )
    said += [f"FAILED {each['cell']}: {each['why']}" for each in part.get("failed", [])]
    said += [f"Not measured: {what}: {why}" for what, why in part.get("without", {}).items()]
    return said


def name_of(row: Row, ratios: Sequence[Row]) -> str:
    """What the cell of a row is called in ratios: its place, its runner or its backend."""
    known = {name for each in ratios for name in (each["of"], each["over"])}
    candidates = (f"{row['backend']} ({row['device']})", row["runner"], row["recipe"], row["backend"])
    return next((name for name in candidates if name in known), row["backend"])


# --- what the suites say --------------------------------------------------------------------------------------------


def _fastest(metric: str) -> Callable[[Part], Iterator[str]]:
    """Of each recipe, at each thing that was varied, the fastest, and by how much the others are slower."""

    def said(part: Part) -> Iterator[str]:
        groups: dict[str, list[Row]] = {}
        for row in part.of(metric):
            groups.setdefault(", ".join([row["recipe"], *_varied(row)]), []).append(row)
        for title, rows in groups.items():
            yield f"{title}: {_ranking(rows, part.ratios)}."

    return said


def _ranking(rows: Sequence[Row], ratios: Sequence[Row]) -> str:
    first, *others = sorted(rows, key=lambda row: row["median"])
    leader = name_of(first, ratios)
    seconds = duration(first["median"])
    if not others:
        return f"only {leader} was measured, {seconds}"
    slower, alike = [], []
    for row in others:
        name = name_of(row, ratios)
        ratio = _between(name, leader, row, ratios)
        if ratio is None:
            slower.append(f"{name} took {duration(row['median'])}, in other rounds")
        elif differs(ratio):
            slower.append(f"{name} takes {interval(ratio)} × as long")
        else:
            alike.append(f"no difference to {name} ({interval(ratio)})")
    return "; ".join([f"{leader} is {'among the fastest' if alike else 'fastest'}, {seconds}", *alike, *slower])


def _between(of: str, over: str, row: Row, ratios: Sequence[Row]) -> Row | None:
    """The ratio of two, whichever way round it was taken."""
    at = varied(row)
    for each in ratios:
        if each["recipe"] != row["recipe"] or any(each.get(name) != value for name, value in at.items()):
            continue
        if (each["of"], each["over"]) == (of, over):
            return each
        if (each["of"], each["over"]) == (over, of):
            return {**each, "ratio": 1 / each["ratio"], "low": 1 / each["high"], "high": 1 / each["low"]}
    return None


def _pooling(part: Part) -> Iterator[str]:
    for ratio in part.ratios:
        if "÷" in ratio["recipe"]:
            yield f"On {ratio['backend']} {_sentence(ratio)}."
    for backend in dict.fromkeys(each["backend"] for each in part.get("why", [])):
        parts = [each for each in part.get("why", []) if each["backend"] == backend]
        parts.sort(key=lambda each: -each["share"])
        made = ", ".join(f"{each['part']} {_share(each)}" for each in parts)
        yield f"What pooling costs on {backend} is made of: {made}."


def _share(each: Mapping[str, Any]) -> str:
    return f"{each['share']:.0%}" + ("" if each.get("differs", True) else " (no difference)")


def _batch_size(part: Part) -> Iterator[str]:
    for (recipe, backend), rows in _by_place(part.of(STEADY)).items():
        best = min(rows, key=lambda row: row["median"])
        seconds = duration(best["median"])
        said = f"{recipe} on {backend}: batches of {best.get('batch_size')} are fastest, {seconds} an epoch"
        ratios = [each for each in part.ratios if (each["recipe"], each["backend"]) == (recipe, backend)]
        if ratios:
            said += f"; {_sentence(ratios[0])}"
        judged = _by_place(part.of("val_accuracy")).get((recipe, backend))
        if judged:
            most = max(judged, key=lambda row: row["median"])
            said += f"; the best accuracy on held-out data, {most['median']:.3f}, is that of {most.get('batch_size')}"
        yield said + "."


def _data_size(part: Part) -> Iterator[str]:
    for (recipe, backend), rows in _by_place(part.of("time_exponent", "loss_exponent")).items():
        said = [
            f"{row['metric'].removesuffix('_exponent')} goes with the steps to the power {row['median']:.2f} "
            f"({row['q1']:.2f} to {row['q3']:.2f})"
            for row in rows
        ]
        yield f"{recipe} on {backend}: {', '.join(said)}."


def _search(part: Part) -> Iterator[str]:
    for each in part.ratios:
        yield f"{words(each['metric'])} on {each['backend']}: {_sentence(each)}."


def _book(part: Part) -> Iterator[str]:
    recipes = _count(len({row["recipe"] for row in part.rows}), "recipe")
    yield f"{recipes} trained on {', '.join(part.backends)}: figures to expect, not a comparison."


def _compared(part: Part) -> Iterator[str]:
    for each in part.ratios:
        where = ", ".join([each["recipe"], *_varied(each)])
        yield f"{where} on {each['backend']}: {_sentence(each)}."


_ANSWERS: dict[str, Callable[[Part], Iterator[str]]] = {
    "epochs": _fastest(STEADY),
    "pooling-vs-striding": _pooling,
    "batch-size": _batch_size,
    "data-size": _data_size,
    "import": _fastest("first_answer"),
    "inference": _fastest("answer"),
    "search": _search,
    "book": _book,
}


# --- sentences ------------------------------------------------------------------------------------------------------


def _sentence(ratio: Row) -> str:
    if differs(ratio):
        return f"{ratio['of']} takes {interval(ratio)} × as long as {ratio['over']}"
    return f"no difference between {ratio['of']} and {ratio['over']} ({interval(ratio)})"


def _rounds(part: Part) -> Iterator[str]:
    rounds, stopped = part.get("rounds", None), part.get("stopped_by", None)
    if isinstance(rounds, dict) and isinstance(stopped, dict) and rounds:
        counts = [count for count in rounds.values() if isinstance(count, int)] or [0]
        ends = list(map(str, stopped.values()))
        told = ", ".join(f"{ends.count(end)} by {end}" for end in dict.fromkeys(ends))
        span = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{min(counts)}"
        yield f"{span} interleaved rounds; groups stopped: {told}."
    elif isinstance(rounds, int):
        yield f"{_count(rounds, 'interleaved round')}, stopped by {stopped}."
    if part.ratios:
        promised = "their 95 % intervals" if _samples(part) >= LEAST_ROUNDS else "intervals of few rounds, below 95 %"
        yield f"Ratios stand with {promised}; one that holds 1 is called no difference."


def _samples(part: Part) -> int:
    """How many samples there are of what was compared, at least; as far as rows tell it."""
    compared = tuple({each["metric"] for each in part.ratios})
    timed = [row["n"] for row in part.rows if row["metric"].startswith(compared) and row["unit"] == "s"]
    return int(min(timed) if timed else max((row["n"] for row in part.rows), default=0))


def _varied(row: Row) -> list[str]:
    return [f"{words(name)} {value}" for name, value in varied(row).items() if name not in _OF_A_RATIO]


_OF_A_RATIO = {"of", "over", "ratio", "low", "high"}


def _by_place(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["recipe"], row["backend"]), []).append(row)
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def as_json(part: Part) -> dict[str, Any]:
    """What the command prints with `--json`."""
    return {"suite": part.suite, "question": question(part), "answer": answer(part), "remarks": remarks(part)}
