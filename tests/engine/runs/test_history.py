"""The history of a run, and which epoch of it was best."""

import json
import math

import pytest

from trivium.engine.runs.history import History

pytestmark = pytest.mark.plain

EPOCHS = [
    {"loss": 1.0, "accuracy": 0.5, "val_loss": 0.9, "val_accuracy": 0.6},
    {"loss": 0.5, "accuracy": 0.8, "val_loss": 0.7, "val_accuracy": 0.9},
    {"loss": 0.2, "accuracy": 0.9, "val_loss": 0.8, "val_accuracy": 0.7},
]


def test_a_metric_is_a_list_over_epochs():
    assert History(EPOCHS)["val_loss"] == [0.9, 0.7, 0.8]
    assert History(EPOCHS).metrics == ["loss", "accuracy", "val_loss", "val_accuracy"]


def test_a_history_is_its_epochs_one_after_the_other():
    epochs = [{"loss": 0.9}, {"loss": 0.5}]
    assert list(History(epochs)) == epochs


def test_the_error_for_an_unknown_metric_lists_the_known_ones():
    with pytest.raises(KeyError, match=r"no metric 'mae'.*loss, accuracy"):
        History(EPOCHS)["mae"]


@pytest.mark.parametrize(
    ("metrics", "best"), [(("val_accuracy", "val_loss"), 2), (("val_loss",), 2), (("accuracy",), 3), (("loss",), 3)]
)
def test_the_best_epoch_is_by_validation_before_training_and_accuracy_before_loss(metrics, best):
    history = History([{name: logs[name] for name in metrics} for logs in EPOCHS])
    assert history.best_epoch == best


def test_an_epoch_with_nan_is_never_the_best():
    assert History([{"loss": math.nan}, {"loss": 3.0}]).best_epoch == 2


def test_json_holds_every_metric_and_nan_as_null():
    history = History([*EPOCHS, {"loss": math.nan}])
    text = json.dumps(history.to_json(), allow_nan=False)
    again = History.from_json(json.loads(text))
    assert again.epochs[:3] == EPOCHS
    assert math.isnan(again["loss"][3])


def test_an_epoch_that_did_not_measure_a_metric_has_nan_there():
    assert math.isnan(History([{"loss": 1.0}, {"loss": 1.0, "val_loss": 2.0}])["val_loss"][0])
