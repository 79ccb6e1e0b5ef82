"""The question that each suite asks, and its answer in sentences that the ratios and intervals support."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..results import STEADY
from ..statistics import MIN_ROUNDS
from ..suites.pooling_vs_striding import published_ratios
from ..targets.target_rows import METRIC, REACHED
from .figures import differs, duration, interval, words
from .results_reader import ReportPart, Row, sweep_point

HISTORY = "history"  # the part of the report that shows results over time
QUESTIONS = {
    "epochs": "Which backend is fastest here?",
    "time-to-accuracy": "Which backend reaches the target soonest?",
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


def question(part: ReportPart) -> str:
    """Return the question of a suite or of a history; for an unknown suite, one with its name."""
    if part.suite == HISTORY:
        return "Has a time changed?"
    return QUESTIONS.get(part.suite, f"What did {part.suite} measure?")


def answer(part: ReportPart) -> list[str]:
    """Return the answer, one sentence or several."""
    sentences = list(_ANSWERS.get(part.suite, _all_ratios)(part))
    return sentences or ["Nothing was compared: the figures below stand for themselves."]


def remarks(part: ReportPart) -> list[str]:
    """Return remarks on how reliable the answer is: how it was measured, what failed, whether the machine was busy."""
    sentences = list(_rounds(part))
    load = part.get("load", {})
    if load.get("busy"):
        sentences.append(
            f"The machine was busy before this began (load {str(load.get('average'))[:5]} on {load.get('cores')} "
            "cores): times are longer, and ratios less certain, than on a quiet one."
        )
    sentences += [f"FAILED {failure['cell']}: {failure['why']}" for failure in part.get("failed", [])]
    sentences += [f"Not measured: {what}: {why}" for what, why in part.get("without", {}).items()]
    return sentences


def name_of(row: Row, ratios: Sequence[Row]) -> str:
    """Return the name of a row's cell in ratios: its backend and device, its runner, its recipe or its backend."""
    known = {name for ratio in ratios for name in (ratio["of"], ratio["over"])}
    candidates = (f"{row['backend']} ({row['device']})", row["runner"], row["recipe"], row["backend"])
    return next((name for name in candidates if name in known), row["backend"])


# --- the answers of the suites --------------------------------------------------------------------------------------


def _fastest(metric: str) -> Callable[[ReportPart], Iterator[str]]:
    """Return an answer with the fastest cell of each recipe and sweep point, and how much slower the others are."""

    def answer_by_group(part: ReportPart) -> Iterator[str]:
        groups: dict[str, list[Row]] = {}
        for row in part.of(metric):
            groups.setdefault(", ".join([row["recipe"], *_point_words(row)]), []).append(row)
        for title, rows in groups.items():
            yield f"{title}: {_ranking(rows, part.ratios)}."

    return answer_by_group


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
    """Return the ratio of two cells, inverted if it was taken the other way round."""
    point = sweep_point(row)
    for ratio in ratios:
        if ratio["recipe"] != row["recipe"] or any(ratio.get(name) != value for name, value in point.items()):
            continue
        if (ratio["of"], ratio["over"]) == (of, over):
            return ratio
        if (ratio["of"], ratio["over"]) == (over, of):
            return {**ratio, "ratio": 1 / ratio["ratio"], "low": 1 / ratio["high"], "high": 1 / ratio["low"]}
    return None


def _time_to_accuracy(part: ReportPart) -> Iterator[str]:
    yield from _fastest(METRIC)(part)
    rounds = part.get("rounds", 0)
    for row in part.of(REACHED):
        if isinstance(rounds, int) and row["median"] < rounds:
            yield f"On {row['backend']} {row['median']:.0f} of {rounds} seeds reached the target."


def _pooling(part: ReportPart) -> Iterator[str]:
    for ratio in part.ratios:
        if "÷" in ratio["recipe"]:
            yield f"On {ratio['backend']} {_sentence(ratio)}."
    yield published_ratios()
    for backend in dict.fromkeys(part_row["backend"] for part_row in part.get("why", [])):
        parts = [part_row for part_row in part.get("why", []) if part_row["backend"] == backend]
        parts.sort(key=lambda part_row: -part_row["share"])
        shares = ", ".join(f"{part_row['part']} {_share(part_row)}" for part_row in parts)
        yield f"What pooling costs on {backend} is made of: {shares}."


def _share(part: Mapping[str, Any]) -> str:
    return f"{part['share']:.0%}" + ("" if part.get("differs", True) else " (no difference)")


def _batch_size(part: ReportPart) -> Iterator[str]:
    for (recipe, backend), rows in _by_recipe_and_backend(part.of(STEADY)).items():
        best = min(rows, key=lambda row: row["median"])
        seconds = duration(best["median"])
        sentence = f"{recipe} on {backend}: batches of {best.get('batch_size')} are fastest, {seconds} an epoch"
        ratios = [ratio for ratio in part.ratios if (ratio["recipe"], ratio["backend"]) == (recipe, backend)]
        if ratios:
            sentence += f"; {_sentence(ratios[0])}"
        accuracies = _by_recipe_and_backend(part.of("val_accuracy")).get((recipe, backend))
        if accuracies:
            most = max(accuracies, key=lambda row: row["median"])
            sentence += (
                f"; the best accuracy on held-out data, {most['median']:.3f}, is that of {most.get('batch_size')}"
            )
        yield sentence + "."


def _data_size(part: ReportPart) -> Iterator[str]:
    for (recipe, backend), rows in _by_recipe_and_backend(part.of("time_exponent", "loss_exponent")).items():
        exponents = [
            f"{row['metric'].removesuffix('_exponent')} goes with the steps to the power {row['median']:.2f} "
            f"({row['q1']:.2f} to {row['q3']:.2f})"
            for row in rows
        ]
        yield f"{recipe} on {backend}: {', '.join(exponents)}."


def _search(part: ReportPart) -> Iterator[str]:
    for ratio in part.ratios:
        yield f"{words(ratio['metric'])} on {ratio['backend']}: {_sentence(ratio)}."


def _history(part: ReportPart) -> Iterator[str]:
    yield from map(str, part.get("asked", {}).get("notes", []))
    for ratio in part.ratios:
        where = ", ".join([ratio["recipe"], *_point_words(ratio)])
        run = f"run {ratio['run']} ({ratio['commit']}, {ratio['date']})"
        changed = (
            f"has changed at {run}, or shortly before or after it: it takes {interval(ratio)} × as long since then"
        )
        yield f"{words(ratio['metric'])} of {where} on {ratio['backend']} {changed}."
    if not part.ratios:
        yield "No change is shown."


def _book(part: ReportPart) -> Iterator[str]:
    recipes = _count(len({row["recipe"] for row in part.rows}), "recipe")
    yield f"{recipes} trained on {', '.join(part.backends)}: figures to expect, not a comparison."


def _all_ratios(part: ReportPart) -> Iterator[str]:
    for ratio in part.ratios:
        where = ", ".join([ratio["recipe"], *_point_words(ratio)])
        yield f"{where} on {ratio['backend']}: {_sentence(ratio)}."


_ANSWERS: dict[str, Callable[[ReportPart], Iterator[str]]] = {
    "epochs": _fastest(STEADY),
    "time-to-accuracy": _time_to_accuracy,
    "pooling-vs-striding": _pooling,
    "batch-size": _batch_size,
    "data-size": _data_size,
    "import": _fastest("first_answer"),
    "inference": _fastest("answer"),
    "search": _search,
    "book": _book,
    HISTORY: _history,
}


# --- sentences ------------------------------------------------------------------------------------------------------


def _sentence(ratio: Row) -> str:
    if differs(ratio):
        return f"{ratio['of']} takes {interval(ratio)} × as long as {ratio['over']}"
    return f"no difference between {ratio['of']} and {ratio['over']} ({interval(ratio)})"


def _rounds(part: ReportPart) -> Iterator[str]:
    rounds, stopped = part.get("rounds", None), part.get("stopped_by", None)
    if isinstance(rounds, dict) and isinstance(stopped, dict) and rounds:
        counts = [count for count in rounds.values() if isinstance(count, int)] or [0]
        ends = list(map(str, stopped.values()))
        reasons = ", ".join(f"{ends.count(end)} by {end}" for end in dict.fromkeys(ends))
        span = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{min(counts)}"
        yield f"{span} interleaved rounds; groups stopped: {reasons}."
    elif isinstance(rounds, int):
        yield f"{_count(rounds, 'interleaved round')}, stopped by {stopped}."
    if part.ratios:
        promise = "their 95 % intervals" if _samples(part) >= MIN_ROUNDS else "intervals of few rounds, below 95 %"
        yield f"Ratios stand with {promise}; one that holds 1 is called no difference."


def _samples(part: ReportPart) -> int:
    """Return the least number of samples of the compared metrics, as far as the rows tell."""
    metrics = tuple({ratio["metric"] for ratio in part.ratios})
    timed = [row["n"] for row in part.rows if row["metric"].startswith(metrics) and row["unit"] == "s"]
    return int(min(timed) if timed else max((row["n"] for row in part.rows), default=0))


def _point_words(row: Row) -> list[str]:
    return [f"{words(name)} {value}" for name, value in sweep_point(row).items() if name not in _RATIO_COLUMNS]


_RATIO_COLUMNS = {"of", "over", "ratio", "low", "high", "run", "commit", "date"}


def _by_recipe_and_backend(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["recipe"], row["backend"]), []).append(row)
    return groups


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def as_json(part: ReportPart) -> dict[str, Any]:
    """Return what the command prints with `--json`."""
    return {"suite": part.suite, "question": question(part), "answer": answer(part), "remarks": remarks(part)}
