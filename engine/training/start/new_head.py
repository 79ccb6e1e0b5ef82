"""A new end of a trained model: one output layer for other classes, several layers, or what a user's function builds.

Layers are written as Keras names them, `Dense(64, relu), Dropout(0.5), Dense(5, softmax)`. They are parsed, not run: an
argument is a literal or a name, which stands for a text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ....backends import keras_internals
from ....errors import OptionError, RecipeError, first_line
from ....functions import is_file_function, load_function, suggest
from ...bundles.code_in_config import CODE_RUNNING_LAYERS
from ...keras_model.public_names import public_names

if TYPE_CHECKING:
    import keras

# What replaces the end of a model: a number of classes, layers as text, or `path/to/file.py:function`.
Head = int | str

_EXAMPLE = "Dense(64,relu),Dropout(0.5),Dense(5,softmax)"


def parse(head: Any) -> Head:
    """Return a head as it was given, a text of digits as a number of classes; check what can be checked without Keras.

    Raises:
        OptionError: it is no number of two classes or more, and no list of layers.
    """
    if isinstance(head, str) and re.fullmatch(r"\s*[+-]?\d+\s*", head):
        head = int(head)
    if isinstance(head, bool) or not isinstance(head, int | str):
        raise OptionError(f"`replace_head`: expected a number of classes, or layers such as {_EXAMPLE}")
    if isinstance(head, int):
        if head < 2:
            raise OptionError(f"`replace_head` needs 2 classes or more, received {head}")
    elif not is_file_function(head):
        list(_calls(head))
    return head


def replace_head(model: keras.Model, head: Head) -> keras.Model:
    """Return the model with a new, untrained end.

    A number of classes replaces the output layer by one softmax layer. Layers replace a last Dense layer, with its
    activation if that is a layer of its own; where a model ends in another layer, such as a pooling, they follow it. A
    function gets the model without these last layers, and returns a tensor or a model.

    Raises:
        OptionError: the model does not end in such a way, or Keras refuses a layer.
        RecipeError: there is no such function, or it fails.
    """
    import keras

    body = _body(model, only_dense=isinstance(head, int))
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.input
    if isinstance(head, int):
        name = f"{model.layers[-1].name}_of_{head}"
        outputs = keras.layers.Dense(head, activation="softmax", name=name)(body)
    elif is_file_function(head):
        outputs = _of_function(head, keras.Model(inputs, body, name=model.name))
        if isinstance(outputs, keras.Model):
            return outputs
    else:
        outputs = _apply(head, body, {layer.name for layer in keras.Model(inputs, body).layers})
    return keras.Model(inputs, outputs, name=model.name)


def _body(model: keras.Model, only_dense: bool) -> keras.KerasTensor:
    """Return the tensor that the new end takes."""
    import keras

    last = model.layers[-1]
    refusal = OptionError(
        f"`replace_head`: {model.name} ends in {last.name} ({type(last).__name__}), expected one Dense layer"
    )
    if len(model.outputs) != 1:
        raise refusal
    if isinstance(last, keras.layers.Dense):
        return last.input
    if only_dense or isinstance(last, keras.Model):
        raise refusal
    if isinstance(last, keras.layers.Activation | keras.layers.Softmax):
        producer = keras_internals.producer_of(last.input)
        if producer and isinstance(producer[0], keras.layers.Dense):
            return producer[0].input
    return model.outputs[0]


def _of_function(name: str, body: keras.Model) -> Any:
    import keras

    function = load_function(name)
    try:
        outputs = function(body)
    except (Exception, SystemExit) as error:  # a user's own function may raise anything
        raise RecipeError(f"{name} fails for the body: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(outputs, keras.Model | keras.KerasTensor):
        raise RecipeError(
            f"{name} gets the model without its last layer, and returns a model or a tensor made of its output, not "
            f"{type(outputs).__name__}"
        )
    return outputs


def _apply(text: str, tensor: keras.KerasTensor, taken: set[str]) -> keras.KerasTensor:
    """Apply new layers to a tensor, named `head_dense`, `head_dropout`, `head_dense_1`, …"""
    import keras

    for kind, positional, named in _calls(text):
        base = name = f"head_{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', kind).lower()}"
        number = 0
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        try:
            tensor = getattr(keras.layers, kind)(*positional, **{"name": name, **named})(tensor)
        except Exception as error:  # Keras raises whatever a layer's constructor raises
            raise OptionError(f"`replace_head`: Keras refuses {kind} at this place: {first_line(error)}") from error
    return tensor


def _calls(text: str) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    """Yield class, positional and named arguments of each layer in a text.

    Raises:
        OptionError: the text is no list of Keras' layers.
    """
    try:
        nodes = ast.parse(f"[{text}]", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        nodes = None
    if not isinstance(nodes, ast.List) or not nodes.elts:
        raise OptionError(f"`replace_head` {text}: expected a number of classes, or layers such as {_EXAMPLE}")
    for node in nodes.elts:
        called = node.func if isinstance(node, ast.Call) else node
        if not isinstance(called, ast.Name):
            raise OptionError(f"`replace_head` {text}: {ast.unparse(node)} is no layer; expected such as {_EXAMPLE}")
        _require_layer(called.id)
        if not isinstance(node, ast.Call):
            yield called.id, [], {}
            continue
        if any(keyword.arg is None for keyword in node.keywords):
            raise OptionError(f"`replace_head` {text}: {ast.unparse(node)}: write the arguments out")
        named = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
        yield called.id, [_value(argument) for argument in node.args], named


def _require_layer(name: str) -> None:
    layers = {known for known in public_names("keras.layers") if known[0].isupper()} - {"Input", "InputLayer"}
    if name in CODE_RUNNING_LAYERS:
        raise OptionError(f"`replace_head`: a {name} runs code: build it in a file.py:function")
    if name not in layers:
        raise OptionError(f"`replace_head`: Keras has no layer {name!r}{suggest(name, sorted(layers))}")


def _value(node: ast.expr) -> Any:
    """Return a literal, or the name of something that Keras knows by its name, such as relu."""
    if isinstance(node, ast.Name):
        return node.id
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise OptionError(f"`replace_head`: {ast.unparse(node)} is neither a number, a text, nor a name") from error
