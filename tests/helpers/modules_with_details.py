"""Modules of PyTorch that differ in one detail of how they are trained; imported by tests only.

`MODULES` has each by name: a function that builds it, and the shape of its input (integers below 9 where it ends with
`ids`).
"""

import functools

from late_module import LateModule

torch, nn, functional = LateModule("torch"), LateModule("torch.nn"), LateModule("torch.nn.functional")

ROWS, PICTURES, STEPS, TOKENS = (6, 6), (6, 3, 8, 8), (6, 5, 4), (6, 5)


def written(forward, **parts):
    """Return a module from its parts by name and a function of them and the input."""

    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            for name, part in parts.items():
                if isinstance(part, torch.Tensor) and not isinstance(part, nn.Parameter):
                    self.register_buffer(name, part)
                else:
                    setattr(self, name, part)

        def forward(self, *inputs):
            return forward(self, *inputs)

    return Written()


def two(**changes):
    return {"a": nn.Linear(6, 5), "b": nn.Linear(5, 2), **changes}


def freeze(part, *names):
    for name, parameter in part.named_parameters():
        if not names or name in names:
            parameter.requires_grad_(False)
    return part


def plain(m, x):
    return m.b(torch.tanh(m.a(x)))


def without_gradient(m, x):
    with torch.no_grad():
        hidden = m.a(x)
    return m.b(hidden)


def tied_table():
    module = written(lambda m, i: m.b(m.a(i)), a=nn.Embedding(9, 4), b=nn.Linear(4, 9, bias=False))
    module.b.weight = module.a.weight
    return module


def tied_layers():
    module = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 2))
    module[2].weight = module[0].weight
    return module


def tied_to_its_transpose():
    linear = functional.linear
    return written(lambda m, x: linear(torch.tanh(linear(x, m.w)), m.w.t()), w=parameter(5, 6))


def normalised(norm, **settings):
    return nn.Sequential(nn.Conv2d(3, 4, 3), norm(4, **settings), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def convolved(*layers):
    return nn.Sequential(nn.Conv2d(3, 4, 3), *layers, nn.Flatten(), nn.Linear(144, 2))


def recurrent(kind, **settings):
    return written(
        lambda m, x: m.b(m.a(x)[0][:, -1]), a=getattr(nn, kind)(4, 5, batch_first=True, **settings), b=nn.Linear(5, 2)
    )


def parameter(*shape):
    return nn.Parameter(torch.randn(shape))


def random_statistics(module):
    """Return the module with moving statistics that are not those of a new one."""
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_()
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    return module


def all_but_the_head():
    return nn.Sequential(freeze(nn.Linear(6, 5)), nn.Tanh(), freeze(nn.Linear(5, 5)), nn.Tanh(), nn.Linear(5, 2))


def two_columns():
    return written(lambda m, i: m.b((m.a(i[:, :2]) * m.a(i[:, 2:4])).sum(1)), a=nn.Embedding(9, 4), b=nn.Linear(4, 2))


def two_norms(same):
    """Return a module with a batch norm behind each of two convolutions, or one for both."""
    norms = {"n": nn.BatchNorm2d(4)} if same else {"n": nn.BatchNorm2d(4), "o": nn.BatchNorm2d(4)}
    return written(
        lambda m, x: m.b((m.n(m.a(x)) + (m.n if same else m.o)(m.c(x))).mean((2, 3))),
        a=nn.Conv2d(3, 4, 3),
        c=nn.Conv2d(3, 4, 3),
        b=nn.Linear(4, 2),
        **norms,
    )


def attention():
    part = nn.MultiheadAttention(4, 2, batch_first=True)
    return written(lambda m, x: m.b(m.a(x, x, x)[0].mean(1)), a=part, b=nn.Linear(4, 2))


def encoder_layer():
    part = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    return written(lambda m, x: m.b(m.a(x).mean(1)), a=part, b=nn.Linear(4, 2))


def in_groups():
    return nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 2))


def transposed():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3, 2))


MODULES = {
    "nothing special": (lambda: written(plain, **two()), ROWS),
    "a frozen layer": (lambda: written(plain, **two(a=freeze(nn.Linear(6, 5)))), ROWS),
    "a frozen bias": (lambda: written(plain, **two(a=freeze(nn.Linear(6, 5), "bias"))), ROWS),
    "a frozen kernel": (lambda: written(plain, **two(b=freeze(nn.Linear(5, 2), "weight"))), ROWS),
    "all but the head frozen": (all_but_the_head, ROWS),
    "detached": (lambda: written(lambda m, x: m.b(m.a(x).detach()), **two()), ROWS),
    "one branch detached": (
        lambda: written(lambda m, x: m.b(m.a(x) + m.c(x).detach()), **two(c=nn.Linear(6, 5))),
        ROWS,
    ),
    "computed without gradients": (lambda: written(without_gradient, **two()), ROWS),
    "a layer called twice": (
        lambda: written(lambda m, x: m.b(torch.tanh(m.a(torch.tanh(m.a(x))))), a=nn.Linear(6, 6), b=nn.Linear(6, 2)),
        ROWS,
    ),
    "tied table": (tied_table, (*TOKENS, "ids")),
    "tied layers": (tied_layers, ROWS),
    "tied to its transpose": (tied_to_its_transpose, ROWS),
    "a padded table": (
        lambda: nn.Sequential(nn.Embedding(9, 4, padding_idx=0), nn.Flatten(), nn.Linear(20, 2)),
        (*TOKENS, "ids"),
    ),
    "a frozen table": (
        lambda: nn.Sequential(nn.Embedding.from_pretrained(torch.randn(9, 4)), nn.Flatten(), nn.Linear(20, 2)),
        (*TOKENS, "ids"),
    ),
    "a table of two columns": (two_columns, (*TOKENS, "ids")),
    "a buffer that scales": (lambda: written(lambda m, x: m.b(m.a(x) * m.s), **two(s=torch.randn(5))), ROWS),
    "a parameter that scales": (lambda: written(lambda m, x: m.b(m.a(x) * m.s), **two(s=parameter(5))), ROWS),
    "a number that scales": (lambda: written(lambda m, x: m.b(m.a(x) * m.s), **two(s=parameter())), ROWS),
    "a frozen parameter": (
        lambda: written(lambda m, x: m.b(m.a(x) * m.s), **two(s=parameter(5).requires_grad_(False))),
        ROWS,
    ),
    "a parameter through softplus": (
        lambda: written(lambda m, x: m.b(m.a(x) * functional.softplus(m.s)), **two(s=parameter(5))),
        ROWS,
    ),
    "a parameter added": (lambda: written(lambda m, x: m.b(torch.tanh(m.a(x)) + m.s), **two(s=parameter(5))), ROWS),
    "a prelu": (lambda: nn.Sequential(nn.Linear(6, 5), nn.PReLU(), nn.Linear(5, 2)), ROWS),
    "a prelu of each map": (lambda: convolved(nn.PReLU(4)), PICTURES),
    "batch norm": (lambda: normalised(nn.BatchNorm2d), PICTURES),
    "batch norm of rows": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)),
        ROWS,
    ),
    "a slow batch norm": (lambda: normalised(nn.BatchNorm2d, momentum=0.01, eps=1e-3), PICTURES),
    "a batch norm that averages all": (lambda: normalised(nn.BatchNorm2d, momentum=None), PICTURES),
    "a batch norm without weights": (lambda: normalised(nn.BatchNorm2d, affine=False), PICTURES),
    "a batch norm without statistics": (lambda: normalised(nn.BatchNorm2d, track_running_stats=False), PICTURES),
    "a batch norm of frozen weights": (lambda: convolved(freeze(nn.BatchNorm2d(4))), PICTURES),
    "a batch norm of a frozen bias": (lambda: convolved(freeze(nn.BatchNorm2d(4), "bias")), PICTURES),
    "a batch norm called twice": (functools.partial(two_norms, same=True), PICTURES),
    "separate batch norms": (functools.partial(two_norms, same=False), PICTURES),
    "group norm": (lambda: convolved(nn.GroupNorm(2, 4), nn.ReLU()), PICTURES),
    "instance norm": (lambda: convolved(nn.InstanceNorm2d(4, affine=True), nn.ReLU()), PICTURES),
    "layer norm without a bias": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5, bias=False), nn.ReLU(), nn.Linear(5, 2)),
        ROWS,
    ),
    "layer norm without weights": (
        lambda: nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5, elementwise_affine=False), nn.ReLU(), nn.Linear(5, 2)),
        ROWS,
    ),
    "rms norm": (lambda: nn.Sequential(nn.Linear(6, 5), nn.RMSNorm(5), nn.ReLU(), nn.Linear(5, 2)), ROWS),
    "weight norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), nn.Tanh(), nn.Linear(5, 2)),
        ROWS,
    ),
    "spectral norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 5)), nn.Tanh(), nn.Linear(5, 2)),
        ROWS,
    ),
    "lstm": (functools.partial(recurrent, "LSTM"), STEPS),
    "lstm without biases": (functools.partial(recurrent, "LSTM", bias=False), STEPS),
    "gru": (functools.partial(recurrent, "GRU"), STEPS),
    "gru without biases": (functools.partial(recurrent, "GRU", bias=False), STEPS),
    "rnn": (functools.partial(recurrent, "RNN"), STEPS),
    "rnn without biases": (functools.partial(recurrent, "RNN", bias=False), STEPS),
    "attention": (attention, STEPS),
    "an encoder layer": (encoder_layer, STEPS),
    "a convolution in groups": (in_groups, PICTURES),
    "a transposed convolution": (transposed, PICTURES),
    "a clipped activation": (lambda: written(lambda m, x: m.b(m.a(x).clamp(-0.5, 0.5)), **two()), ROWS),
    "a parameter nobody reads": (lambda: written(plain, **two(c=nn.Linear(3, 3))), ROWS),
}


def build(name):
    """Return a module, by name, and random inputs for it."""
    torch.manual_seed(3)
    make, shape = MODULES[name]
    module = random_statistics(make())
    if shape[-1] == "ids":
        return module, torch.randint(0, 9, shape[:-1])
    return module, torch.randn(shape)
