"""One difference is planted in one of two models: it is seen, its layer is named, and so is its cause."""

from pathlib import Path

import pytest

from trivium.comparison.compare import compare
from trivium.functions import load_function

pytestmark = pytest.mark.one_environment

MODELS = Path(__file__).parents[1] / "helpers" / "models_with_planted_differences.py"

# The model, the planted setting, the settings of both, the layers at the difference (any of them), and a word of the
# cause; empty where the cause need not be known.
PLANTED = [
    ("plain_cnn", {"epsilon": 1e-2}, {}, ["norm2"], "epsilon"),
    ("residual_cnn", {"epsilon": 1e-2}, {}, ["block2_norm1"], "epsilon"),
    ("plain_cnn", {"momentum": 0.9}, {}, ["norm2"], "momentum"),
    ("residual_cnn", {"momentum": 0.9}, {}, ["block2_norm1"], "momentum"),
    ("plain_cnn", {"padding": "before"}, {}, ["conv2"], "pad"),
    ("residual_cnn", {"padding": "before"}, {}, ["block2_conv1"], "pad"),
    ("plain_cnn", {"activation": "tanh gelu"}, {}, ["act2"], "approximate"),
    ("transformer", {"activation": "tanh gelu"}, {}, ["block2_act"], "approximate"),
    ("plain_cnn", {"activation": "relu"}, {}, ["act2", "pool2", "conv3"], "relu"),
    ("residual_cnn", {"activation": "silu"}, {}, ["block2_act1", "block2_conv1"], "silu"),
    ("plain_cnn", {"slope": 0.01}, {"activation": "leaky"}, ["act2"], "slope"),
    ("recurrent", {"slope": 0.01}, {}, ["relu"], "slope"),
    ("plain_cnn", {"pool": "average"}, {}, ["pool2", "conv3"], "pool"),
    ("residual_cnn", {"pool": "max"}, {}, ["block2_pool", "block2_add"], "pool"),
    ("plain_cnn", {"bias": False}, {}, ["conv2"], "bias"),
    ("recurrent", {"bias": False}, {}, ["dense"], "bias"),
    ("plain_cnn", {"dilation": 2}, {}, ["conv3"], "dilation"),
    ("residual_cnn", {"dilation": 2}, {}, ["block2_conv2"], "dilation"),
    ("plain_cnn", {"interpolation": "bilinear"}, {}, ["up3"], "interpolation"),
    ("residual_cnn", {"interpolation": "nearest"}, {}, ["up"], "interpolation"),
    ("residual_cnn", {"shortcut": False}, {}, ["block2_add", "block3_norm1"], "add"),
    ("transformer", {"shortcut": False}, {}, ["block2_add", "block2_norm2"], "add"),
    ("plain_cnn", {"rate": 0.5}, {}, ["drop2"], "rate"),
    ("recurrent", {"rate": 0.5}, {}, ["drop"], "rate"),
    ("plain_cnn", {"trainable": False}, {}, ["conv4"], "frozen"),
    ("transformer", {"trainable": False}, {}, ["block2_up"], "frozen"),
    ("plain_cnn", {"reduction": "max"}, {}, ["reduce", "out"], "max"),
    ("recurrent", {"reduction": "max"}, {}, ["reduce", "out"], "max"),
    ("recurrent", {"epsilon": 1e-1}, {}, ["norm"], "epsilon"),
    ("transformer", {"epsilon": 1e-1}, {}, ["block2_norm1"], "epsilon"),
    ("recurrent", {"backwards": True}, {}, ["gru"], "backwards"),
    ("recurrent", {"activation": "relu"}, {}, ["gru"], "activation"),
    ("recurrent", {"recurrent_activation": "hard_sigmoid"}, {}, ["lstm"], "recurrent_activation"),
    ("recurrent", {"recurrent_activation": "tanh"}, {}, ["lstm"], "recurrent_activation"),
    ("transformer", {"causal": True}, {}, ["block2_attention"], "causal"),
    ("transformer", {"causal": True}, {"order": "norm last"}, ["block2_attention"], "causal"),
    ("transformer", {"order": "norm last"}, {}, ["block2_norm1", "block2_attention"], ""),
    ("transformer", {"bias": False}, {}, ["block2_down"], "bias"),
    ("recurrent", {"mask": True}, {}, ["gru", "lstm"], ""),
    ("transformer", {"rate": 0.4}, {}, ["block2_attention"], "dropout"),
]
DAILY = (2, 4, 20)


def cases():
    for number, (model, planted, both, _, _) in enumerate(PLANTED):
        name = "-".join([model, *map(str, planted), *map(str, both.values())])
        yield pytest.param(number, id=name, marks=() if number in DAILY else pytest.mark.slow)


@pytest.mark.parametrize("turned", [False, True], ids=["planted-second", "planted-first"])
@pytest.mark.parametrize("number", [*cases()])
def test_planted_difference(number, turned):
    model, planted, both, names, cause = PLANTED[number]
    build = load_function(f"{MODELS}:{model}")
    models = [build(**both), build(**both, **planted)]
    report = compare(*(models[::-1] if turned else models), steps=2)
    assert not report.passed
    assert any(name in report.finding for name in names), report.finding
    assert cause in " ".join(report.causes), report.causes
