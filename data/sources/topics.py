"""Paragraphs of Python's own documentation, by what they are about: a small set of sentences with classes."""

from __future__ import annotations

from ..dataset import Dataset
from ..tables.labelled_table import from_frame

_TOPICS = {
    "expressions": "atom-identifiers attribute-references binary bitwise booleans calls comparisons conversions "
    "exprlists in lambda naming operator-summary power shifting slicings subscriptions unary",
    "statements": "assert assignment augassign break class compound continue del for function global if import "
    "nonlocal pass raise return try while with",
    "types": "dict floating integers lists numbers numeric-types sequence-types string-methods strings typesmapping "
    "typesseq typesseq-mutable",
}
_FEWEST_WORDS = 8


def load(name: str) -> Dataset:
    """Load the paragraphs of eight words or more about expressions, statements, and types."""
    from pydoc_data.topics import topics

    import polars

    rows = [
        (" ".join(paragraph.split()), label)
        for label, names in _TOPICS.items()
        for topic in names.split()
        for paragraph in topics.get(topic, "").split("\n\n")
        if len(paragraph.split()) >= _FEWEST_WORDS
    ]
    unique = dict(rows)  # a paragraph that stands in several topics is in one class
    frame = polars.DataFrame({"paragraph": list(unique), "about": list(unique.values())})
    return from_frame(frame, name, "about", text="paragraph")
