"""A replayed graph gives the bits of the function it was captured from, whatever shares memory in it."""

import numpy as np
import pytest

SMALL, LARGE = 8, 200  # rows of square matrices: those of 200 are above the size that has fixed memory


@pytest.fixture(autouse=True)
def _pytorch(backend):
    if backend.name != "torch":
        pytest.skip("only PyTorch replays steps")


def views(torch, x, state):
    """Views of new memory, written in place afterwards."""
    halves = (x @ x).split(len(x) // 2)
    halves[0].sigmoid_().t().mul_(0.5)
    joined = torch.cat([halves[1], halves[0]]).transpose_(0, 1)
    state.add_(joined)
    return state.sum().reshape(1)


def constants(torch, x, state):
    """Literals, of which one is written in each step, and ones in the shape of a value."""
    counter = torch.zeros(3) + torch.tensor([1.0, 2.0, 3.0])
    counter.mul_(x[0, 0])
    state.addcmul_(torch.ones_like(x), x * torch.tensor(0.25))
    return counter


def several(torch, x, state):
    """Operations with several results, lists of tensors, and integers."""
    largest, places = x.max(dim=1)
    torch._foreach_mul_([state, largest], 0.5)
    state.copy_(torch.where(x > 0, state, x).roll(1, 0))
    mean, deviation = torch.var_mean(x, dim=0)
    return torch.stack([largest, places.to(torch.float32), mean, deviation])


def variable_only(torch, x, state):
    """A result that depends on a variable which this step does not write."""
    return state.exp()[0] + x[0]


@pytest.mark.parametrize("function", [views, constants, several, variable_only])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_replay_gives_the_same_bits_step_after_step(function, size):
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    from trivium.backends.torch.replay import Replay, replay_mode

    generator = torch.Generator().manual_seed(1)
    batches = [torch.randn(size, size, generator=generator) / size for _ in range(4)]
    start = torch.randn(size, size, generator=generator)
    state, expected_state = torch.nn.Parameter(start.clone(), requires_grad=False), start.clone()
    replay = Replay(make_fx(lambda x: function(torch, x, state))(batches[0]), batches[:1])
    state.copy_(start)
    for number, batch in enumerate(batches):
        expected = function(torch, batch.clone(), expected_state)
        with replay_mode():
            replay.batch[0].copy_(batch)
            result = replay.step().clone()
        np.testing.assert_array_equal(result.numpy(), expected.numpy(), err_msg=f"step {number}")
        np.testing.assert_array_equal(state.numpy(), expected_state.numpy(), err_msg=f"step {number}")
        state.mul_(0.5)  # as a callback might, between two steps
        expected_state.mul_(0.5)


def test_a_small_view_costs_no_call_and_a_large_tensor_has_no_fixed_memory():
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    from trivium.backends.torch.replay import Replay, replay_mode

    def sums(x):
        return x.exp().t()[:2].sum(1)

    lines = []
    for size in (SMALL, LARGE):
        replay = Replay(make_fx(sums)(torch.ones(size, size)), [torch.ones(size, size)])
        lines.append(replay._calls._lines)
        with replay_mode():
            assert replay.step() is replay.step(), "what is small stays where it is"
    assert len(lines[0]) == 2, lines[0]
    assert [line for line in lines[1] if line.startswith("del ")] == ["del exp", "del t", "del slice_1"], lines[1]


def test_operations_of_ours_and_random_ones_are_run_anew_in_each_step():
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    from trivium.backends.torch.replay import Replay, replay_mode

    seed = torch.nn.Parameter(torch.tensor([3, 0], dtype=torch.int32), requires_grad=False)

    def draw(x):
        bits = torch.ops.trivium.random_bits(seed, [4])
        seed[1].add_(1)
        return bits.to(torch.float64) + torch.rand(4, dtype=torch.float64) + x

    import trivium.backends.torch.portable_random  # noqa: F401 - defines the operation

    replay = Replay(make_fx(draw)(torch.zeros(4)), [torch.zeros(4)])
    with replay_mode():
        results = {tuple(np.floor(replay.step().numpy())) for _ in range(5)}
        fractions = {tuple(replay.step().numpy() % 1) for _ in range(5)}
    assert (len(results), len(fractions)) == (5, 5)
    assert seed.tolist() == [3, 12]


def test_a_call_sequence_passes_values_variables_and_lists(backend):
    import operator

    from trivium.backends.torch.call_sequence import CallSequence, Variable

    calls, numbers = CallSequence(), [1, 2]
    calls.call(sum, [numbers], {}, Variable("total"))
    calls.call(max, [[Variable("total"), 5, 0]], {"default": 7}, Variable("largest"), [Variable("total")])
    calls.call(operator.setitem, [numbers, 0, Variable("largest")], {})
    run = calls.function(Variable("largest"))
    assert [run(), run()] == [5, 7], "1 + 2 < 5, then 5 + 2 > 5"
    assert numbers == [7, 2]
