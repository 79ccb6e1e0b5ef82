"""The columns of a table of predictions, for each kind of answer."""

import pytest

from trivium.engine.prediction.prediction_table import to_frame

CAT = {"label": "cat", "probability": 0.9, "probabilities": {"cat": 0.9, "dog": 0.1}}
UNKNOWN = {"label": None, "probability": None, "probabilities": {"cat": None, "dog": None}}


@pytest.mark.parametrize(
    ("entries", "columns"),
    [
        ([1.5, 2.5], {"prediction": [1.5, 2.5]}),
        ([[1.0, 2.0]], {"prediction.1": [1.0], "prediction.2": [2.0]}),
        ([[[1.0, 2.0]], None], {"prediction.1.1": [1.0, None], "prediction.1.2": [2.0, None]}),
        (
            [UNKNOWN, CAT],
            {"prediction": [None, "cat"], "probability": [None, 0.9], "p(cat)": [None, 0.9], "p(dog)": [None, 0.1]},
        ),
        ([{"classes": [[0]], "labels": ["road"], "shares": {"road": 1.0}}], {"share(road)": [1.0]}),
        (
            [{"kind": CAT, "price": 3.0}],
            {
                "kind.prediction": ["cat"],
                "kind.probability": [0.9],
                "kind.p(cat)": [0.9],
                "kind.p(dog)": [0.1],
                "price.prediction": [3.0],
            },
        ),
    ],
)
def test_each_part_of_an_answer_has_a_column(entries, columns):
    frame = to_frame(entries)
    assert {name: frame[name].to_list() for name in columns} == columns
    assert set(frame.columns) - {"prediction"} == set(columns) - {"prediction"}


def test_the_columns_of_places_stand_before_the_answers():
    assert to_frame([1.0], [{"file": "a.npy", "index": 3}]).rows(named=True) == [
        {"file": "a.npy", "index": 3, "prediction": 1.0}
    ]
