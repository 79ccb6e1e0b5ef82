"""Which values of a metric are better is what Keras knows of the metric, whatever it is called."""

import numpy as np

from trivium.engine.keras_model.metric_directions import metric_directions


def directions(metrics, weighted=None):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile(loss="mse", metrics=metrics, weighted_metrics=weighted)
    known = metric_directions(model, np.zeros((3, 1)))
    assert not model._compile_metrics.built
    return known


def test_a_name_says_nothing_of_the_direction(backend):
    import keras

    def accuracy_of_mine(y_true, y_pred):
        return y_pred

    class Own(keras.metrics.Mean):
        """A metric of one's own."""

    class Auc(keras.metrics.AUC):
        """A metric of Keras' kind."""

    metrics = keras.metrics
    known = directions(
        [
            *("accuracy", "mae", keras.losses.Huber(), metrics.binary_accuracy, accuracy_of_mine),
            *(
                metrics.MeanSquaredError("accuracy_2"),
                metrics.BinaryIoU(name="error"),
                metrics.FalseNegatives(name="auc"),
            ),
            *(
                metrics.TruePositives(name="loss_of_mine"),
                metrics.R2Score(name="mse"),
                Own("recall"),
                Auc(name="losses"),
            ),
            metrics.MeanMetricWrapper(keras.losses.poisson, "precision"),
        ],
        ["accuracy"],
    )
    more = {"accuracy", "binary_accuracy", "error", "loss_of_mine", "mse", "losses", "weighted_accuracy"}
    less = {"loss", "mae", "huber_loss", "accuracy_2", "auc", "precision"}
    unknown = {"accuracy_of_mine", "recall"}
    assert known == dict.fromkeys(more, "max") | dict.fromkeys(less, "min") | dict.fromkeys(unknown)


def test_the_metrics_of_several_outputs_have_the_names_of_the_outputs(backend):
    import keras

    a = keras.Input((2,))
    outputs = {name: keras.layers.Dense(1, name=name)(a) for name in ("up", "down")}
    model = keras.Model(a, outputs)
    model.compile(
        loss={"up": "mse", "down": "mae"}, metrics={"up": ["r2_score"], "down": [keras.metrics.AUC(name="x")]}
    )
    y = np.zeros((3, 1))
    losses = dict.fromkeys(("loss", "up_loss", "down_loss"), "min")
    assert metric_directions(model, {"up": y, "down": y}) == {**losses, "up_r2_score": "max", "down_x": "max"}
