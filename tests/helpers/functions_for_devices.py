"""Functions that the tests of several devices call in a worker."""

from trivium.backends import catalog, runtime
from trivium.backends.distribution import processes
from trivium.backends.workers import worker
from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.engine.training.trainer import Trainer

_groups = {}


def train(names, how="devices", count=2, **settings):
    """Train on one device, and the same on several: `[[history, weights, plan], [history, weights, plan]]`.

    Args:
        names: `[data, samples]`.
        how: `devices` of this machine, or `processes`.
    """
    data = few(*names)
    results = []
    for group in (None, group_of(how, count)):
        run = Trainer(**settings, group=group).fit(data)
        metrics = {name: run.history[name] for name in run.history.metrics}
        results.append([metrics, run.model.get_weights(), run.settings["plan"]])
    return results


def group_of(how, count):
    """Return a group of devices; it is started once, because that takes seconds."""
    current = runtime.current()
    if (how, count) not in _groups:
        if how == "devices":
            group = current.device_group(count)
        elif isinstance(_groups.get(("devices", count)), processes.ProcessGroup):
            group = _groups["devices", count]  # on this backend they are processes
        else:
            name = catalog.selected().name
            group = processes.ProcessGroup([worker.Worker(name, threads=1) for _ in range(count)])
        _groups[how, count] = group
    return _groups[how, count]


def kill_one(how, count=2):
    """Kill one process of a group, and train."""
    group = group_of(how, count)
    group._workers[1].kill()
    try:
        Trainer(f"{__file__}:dense", epochs=1, batch_size=16, group=group).fit(few("mnist:sample", 33))
    finally:
        del _groups[how, count]


def few(name, samples):
    """Return the first samples of a dataset; images keep every third pixel, scaled to 0 … 1."""
    full = datasets.load(name)
    x, y = full.train.x[:samples], full.train.y[:samples]
    x = x[:, ::3, ::3, None].astype("float32") / 255 if x.ndim == 3 else x
    return Dataset(name, Split(x, y), None, full.labels, full.source)


def convolution():
    """Build a model with everything that depends on the whole batch: batch statistics, gradient clipping, penalties.

    It is smooth, so that rounding cannot move a value to the other side of a kink. It uses SGD, because the gradient of
    a bias before a batch normalisation is rounding alone, of which Adam would make full steps.
    """
    import keras

    layers = keras.layers
    normalised = [
        layers.Conv2D(4, 3, strides=2, kernel_regularizer=keras.regularizers.L2(0.01)),
        layers.BatchNormalization(),
        layers.Activation("tanh", activity_regularizer=keras.regularizers.L2(0.01)),
    ]
    ends = [layers.Flatten(), layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input((10, 10, 1)), *normalised, *ends])
    optimizer = keras.optimizers.SGD(0.05, momentum=0.5, global_clipnorm=0.7)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense(classes=10):
    import keras

    layers = keras.layers
    hidden = [layers.Flatten(), layers.Dense(16, "tanh"), layers.Dropout(0.3), layers.GaussianNoise(0.1)]
    return keras.Sequential([keras.Input((10, 10, 1)), *hidden, layers.Dense(classes, "softmax")])


def refused(**settings):
    """Train with settings that must be refused."""
    Trainer(**settings).fit(few("mnist:sample", 33))
