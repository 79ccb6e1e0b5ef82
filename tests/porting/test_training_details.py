"""Networks that differ in one detail of how they are trained: ported with equal losses, or told what differs."""

import functools
import importlib.util

import models_with_details as keras_details
import modules_with_details as details
import numpy as np
import pytest
import written_models

import trivium
from trivium.errors import PortError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")

TOLD = {
    "a batch norm that averages all": "averages the statistics of all batches",
    "a batch norm of frozen weights": "its weights are frozen",
    "a padded table": "trains the row of `padding_idx` too",
    "lstm": "two biases",
    "rnn": "two biases",
    "weight norm": "not these two",
}
REFUSED = {
    "a frozen bias": "some of its weights are trained and others are not",
    "a frozen kernel": "some of its weights are trained and others are not",
    "a batch norm of a frozen bias": "some of its weights are trained and others are not",
    "a batch norm without statistics": "it was exported in training mode",
    "spectral norm": "alone",
}
NOT_KEPT = {"tied table", "tied layers", "tied to its transpose"}
DAILY = {"a layer called twice", "batch norm", "detached", "lstm", "a padded table", "computed without gradients"}
DAILY |= {"a prelu", "tied layers", "weight norm", "a parameter that scales"}
CASES = [pytest.param(name, marks=[] if name in DAILY else [pytest.mark.slow]) for name in details.MODULES]


# What draws in training is compared as it answers, and by what the source has for it.
DRAWN = {
    "dropout of whole maps": "nn.Dropout2d(0.3)",
    "alpha dropout": "nn.AlphaDropout(0.3)",
    "dropout of whole rows": "SharedDropout(0.3, axes=(1,))",
    "noise": "GaussianNoise(0.2)",
}
KERAS_DAILY = {"a frozen bias", "a tied table", "a frozen batch norm", "a batch norm called twice", "alpha dropout"}
KERAS_DAILY |= {"one of two answers detached", "a weight through softplus", "gru that resets before"}
KERAS_CASES = [
    pytest.param(name, marks=[] if name in KERAS_DAILY else [pytest.mark.slow]) for name in keras_details.MODELS
]


def losses(answer, weights, inputs, targets):
    """Return the losses of five steps of gradient descent; `answer` computes with `weights`, which are changed."""
    import torch

    optimizer = torch.optim.SGD(weights, 0.005)
    results = []
    for _ in range(5):
        outputs = answer(inputs)
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        loss = sum(((output - target) ** 2).mean() for output, target in zip(outputs, targets, strict=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        results.append(loss.item())
    return results


def losses_of_both(name, artifact, training):
    import keras
    import torch

    module, inputs = details.build(name)
    targets = [torch.randn(module.eval()(inputs).shape)]
    module.train(training)
    model = keras.saving.load_model(artifact)
    own = losses(module, [weight for weight in module.parameters() if weight.requires_grad], inputs, targets)
    return own, losses(lambda x: model(x, training=training), trained(model), inputs, targets)


@pytest.mark.parametrize("name", CASES)
def test_a_module_is_trained_as_its_author_trains_it(name, backend, shared_worker, tmp_path):
    module, inputs = details.build(name)
    if name in REFUSED:
        with pytest.raises(PortError, match=REFUSED[name]):
            trivium.port_from_torch(module, (inputs,), tmp_path / "net.keras")
        return
    report = trivium.port_from_torch(module, (inputs,), tmp_path / "net.keras")
    if name in NOT_KEPT:
        assert report.finding == "the same predictions, but a DIFFERENT training step"
        return
    assert report.passed, report.finding
    assert ("TRAINED OTHERWISE" in report.finding) == (name in TOLD)
    if name in TOLD:
        (sentence,) = report.to_json()["trained_otherwise"]
        assert TOLD[name] in sentence
        return
    if backend.name == "torch":
        for training in (False, True):
            own, ported = losses_of_both(name, report.artifact, training)
            assert ported == pytest.approx(own, rel=1e-4)
            assert own[0] != own[-1]


@pytest.mark.parametrize("name", ["weight norm", "spectral norm", "a parameter through softplus", "a frozen bias"])
def test_for_inference_weights_are_computed(name, backend, shared_worker, tmp_path):
    import keras

    module, inputs = details.build(name)
    report = trivium.port_from_torch(module, (inputs,), tmp_path / "net.keras", inference_only=True)
    assert report.finding == "the same predictions"
    answers = keras.saving.load_model(report.artifact).predict(inputs.numpy(), verbose=0)
    np.testing.assert_allclose(answers, module.eval()(inputs).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("name", KERAS_CASES)
def test_source_is_trained_as_its_keras_model(name, backend, tmp_path):
    import torch

    if backend.name != "torch":
        pytest.skip(
            "only the source for PyTorch has a training mode; test_source_step.py compares a step of the others"
        )
    model = written_models.build_model(keras_details.MODELS[name])
    written_models.randomise(model)
    written_models.write_source(model, written_models.room_of(backend), tmp_path)
    if name in DRAWN:
        assert DRAWN[name] in (tmp_path / "model.py").read_text()
    inputs = [torch.from_numpy(array) for array in written_models.random_inputs(model, 6)]
    expected = written_models.keras_answers(model, [array.numpy() for array in inputs])
    targets = [torch.randn(output.shape) for output in expected]
    start = model.get_weights()
    for training in (False,) if name in DRAWN else (False, True):
        model.set_weights(start)
        module = written_models.import_model(tmp_path).load().train(training)
        own = losses(functools.partial(model, training=training), trained(model), inputs[0], targets)
        weights = [weight for weight in module.parameters() if weight.requires_grad]
        assert losses(module, weights, inputs[0], targets) == pytest.approx(own, rel=1e-4)
        assert own[0] != own[-1]


def trained(model):
    return [variable.value for variable in model.trainable_variables]


def own_noise():
    import keras

    class Noise(keras.layers.Layer):
        """Adds noise while it is trained."""

        def call(self, x, training=False):
            return x + keras.random.normal(keras.ops.shape(x)) if training else x

    class Halved(keras.layers.Layer):
        """Takes `training` and does the same either way."""

        def __init__(self):
            super().__init__()
            self.dropout = keras.layers.Dropout(0.5)

        def call(self, x, training=False):
            return self.dropout(x, training=training) / 2

    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(5), Noise(name="noise"), Halved()])


def test_what_an_own_layer_does_in_training_alone_is_named(backend):
    from trivium.porting.keras_to_graph.model import read

    graph = read(written_models.build_model(own_noise), written_models.room_of(backend).refuses)
    assert graph.left_out == ("noise (Noise, what it does in training alone)",)
