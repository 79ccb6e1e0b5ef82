"""Operators of PyTorch, rebuilt in Keras: each answers as PyTorch does, or is refused in one line with the reason."""

import numpy as np
import pytest

from trivium.errors import PortError

torch = pytest.importorskip("torch")

from modules_for_to_keras import FunctionModule  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from trivium.backends.torch.programs import export  # noqa: E402


def rebuilt(module, inputs, folder):
    """Return the Keras model of a module, from its program file."""
    from trivium.porting.graph_to_keras import network_file

    path = folder / "net.pt2"
    path.write_bytes(export(module, inputs))
    return network_file.build(network_file.read(path, folder / "clean.pt2"))[0]


def answers(model, inputs):
    import keras

    outputs = model.predict([np.asarray(each) for each in inputs] if len(inputs) > 1 else inputs[0].numpy(), verbose=0)
    return [np.asarray(output) for output in keras.tree.flatten(outputs)]


def tables(m, x):
    return torch.gather(x, 1, (x[:, :2] > 0).long() + 1), F.one_hot((x[:, 0] > 0).long() + 1, 4).float() * x[:, :1]


def sorted_values(m, x):
    values, places = torch.topk(x, 2, dim=1)
    low, _ = torch.topk(x, 3, dim=-1, largest=False)
    return values, places.float(), low, torch.sort(x, dim=1, descending=True)[0], torch.argsort(x).float()


def reductions(m, x):
    y = torch.addcmul(x, x, x + 1, value=0.5) + torch.addcdiv(x, x, x**2 + 1)
    y = y + torch.linalg.vector_norm(x, dim=2, keepdim=True) + x.std(1, keepdim=True) + x.var((1, 2), keepdim=True)
    y = y + x.var(2, correction=0, keepdim=True) + torch.logsumexp(x, dim=(1, 2), keepdim=True)
    y = y + torch.remainder(x, 0.7) + torch.floor_divide(x, 0.3) + torch.max(x, x * 2) + torch.min(x, x**2)
    return y * x.prod(2, keepdim=True), (x > 1).any(2).float(), (x > -2).all(1).float() + x.clip(-0.5, 0.5).sum(1)


def masks(m, x):
    keep = torch.tril(torch.ones(3, 4, dtype=torch.bool), 1) & (x > -1)
    return torch.where(keep, x, -2.0) + torch.triu(x, 1), x[:, :1].expand_as(x) * torch.diff(torch.arange(5.0))


def per_sample_constants(m, x):
    """Count as the decoders of `transformers` do, which pick from positions that are one row for all samples."""
    rows = torch.arange(4)[None].expand(x.shape[0], -1)
    samples = torch.arange(x.shape[0])[:, None, None]
    allowed = rows[samples, torch.arange(4)[None, :, None]] >= rows[samples, torch.arange(4)[None, None]]
    return torch.where(allowed, x @ x.transpose(1, 2), -9.0)


def windows(m, x):
    """Number the parts of a picture, as shifted windows do to find which places may attend to each other."""
    numbers = x.new_zeros((3, 4))
    for count, (rows, columns) in enumerate([((0, -1), (0, 2)), ((-1, None), (2, None))], 1):
        numbers[slice(*rows), slice(*columns)] = count
    return torch.where(numbers[None] == 0, x, x * numbers)


def grouped_queries(m, x):
    heads = x.unflatten(1, (4, 2))
    return F.scaled_dot_product_attention(heads, heads[:, :2], heads[:, ::2], enable_gqa=True)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (tables, (5, 6)),
        (sorted_values, (5, 6)),
        (reductions, (5, 3, 4)),
        (masks, (5, 3, 4)),
        (per_sample_constants, (5, 4, 4)),
        (windows, (5, 3, 4)),
        (grouped_queries, (5, 8, 6)),
    ],
)
def test_operators_are_rebuilt(backend, tmp_path, function, shape):
    torch.manual_seed(3)
    module, x = FunctionModule(function), torch.randn(shape)
    expected = module(x)
    for want, received in zip(
        expected if isinstance(expected, tuple) else [expected],
        answers(rebuilt(module, (x,), tmp_path), (x,)),
        strict=True,
    ):
        np.testing.assert_allclose(received, want.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "resize",
    [
        {"size": (7, 9), "mode": "nearest"},
        {"scale_factor": 1.5, "mode": "nearest"},
        {"size": (7, 9), "mode": "bilinear"},
        {"size": (3, 4), "mode": "bilinear", "align_corners": True},
        {"size": (10, 12), "mode": "bilinear", "align_corners": True},
        {"scale_factor": 2, "mode": "bicubic"},
        {"scale_factor": 0.7, "mode": "bicubic"},
        {"size": (8, 9), "mode": "bicubic", "align_corners": True},
    ],
    ids=str,
)
def test_pictures_are_resized(backend, tmp_path, resize):
    module, x = FunctionModule(lambda m, x: F.interpolate(x, **resize)), torch.randn(2, 3, 5, 6)
    (received,) = answers(rebuilt(module, (x,), tmp_path), (x,))
    np.testing.assert_allclose(received, module(x).numpy(), rtol=1e-5, atol=2e-5)


def test_a_normalized_weight_is_rebuilt_as_the_product(backend, tmp_path):
    module = torch.nn.Sequential(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3)), torch.nn.ReLU())
    x = torch.randn(2, 4)
    (received,) = answers(rebuilt(module, (x,), tmp_path), (x,))
    np.testing.assert_allclose(received, module(x).detach().numpy(), rtol=1e-5, atol=1e-5)


def add_to_a_part(x):
    y = x * 2
    y[:, 1:].add_(1)
    return y


def fill_a_part(x):
    y = x * 2
    y[:, 1:] = 0
    return y


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda m, x: torch.gather(x, 1, (x[:, :2, :2] > 0).long()), "its indices leave out a part of another axis"),
        (lambda m, x: torch.diff(x), "subtract two slices"),
        (lambda m, x: torch.sort(x, dim=0)[0], "it sorts the samples of a batch"),
        (lambda m, x: add_to_a_part(x), "changes a part of an array in place: build the whole by torch.cat"),
        (lambda m, x: fill_a_part(x), "it writes into a part of an array: build the whole by torch.cat"),
        (lambda m, x: x.std(0), "divided by a number of values that is not known in advance"),
    ],
)
def test_what_has_no_counterpart_is_refused_in_one_line(backend, tmp_path, function, why):
    with pytest.raises(PortError, match=why) as caught:
        rebuilt(FunctionModule(function), (torch.randn(5, 3, 4),), tmp_path)
    assert len(str(caught.value).splitlines()) == 1
