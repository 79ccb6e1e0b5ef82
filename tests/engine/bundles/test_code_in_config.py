"""Code in a configuration is found without building the model, and Keras' own layers are not reported."""

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from trivium.engine.bundles import trust
from trivium.engine.bundles.code_in_config import (
    _CLASSES,
    _FUNCTIONS,
    _PRIVATE,
    APPLICATION_LAYERS,
    CODE_RUNNING_LAYERS,
    find_code,
    public_names,
)
from trivium.functions import load_function
from trivium.models.recipe import registry

pytestmark = pytest.mark.one_environment

HOSTILE = Path(__file__).parents[2] / "helpers" / "hostile.py"
layer, function = load_function(f"{HOSTILE}:layer"), load_function(f"{HOSTILE}:function")


def model(*layers):
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}, "registered_name": None}


def texts(config):
    return [finding.text for finding in find_code(config)]


def test_a_recipe_has_no_findings(backend):
    import keras

    built = registry()["functional/autoencoder"]()
    built.compile("adam", loss="mse", metrics=["mae", keras.metrics.RootMeanSquaredError()])
    config = keras.saving.serialize_keras_object(built)
    assert find_code(json.loads(json.dumps(config))) == ()


def test_a_model_of_many_kinds_of_keras_objects_has_no_findings(backend):
    import keras

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation=keras.activations.gelu, kernel_constraint=keras.constraints.MaxNorm(3))(
        inputs
    )
    x = keras.layers.TimeDistributed(keras.layers.Bidirectional(keras.layers.SimpleRNN(2)))(x)
    x = keras.ops.concatenate([x, keras.ops.relu(x * 2)[:, :2]], axis=1)
    x = keras.layers.Dense(2, kernel_regularizer="l2", activation=keras.ops.tanh, dtype="mixed_float16")(x)
    x = keras.layers.MultiHeadAttention(2, 2)(x, x)
    built = keras.Model(inputs, [keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])(x), x])
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    built.compile(keras.optimizers.AdamW(schedule), loss=[keras.losses.Huber(), keras.losses.mean_absolute_error])
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(built)))
    assert find_code(config) == ()
    legacy = json.loads(built.to_json())
    assert find_code(legacy) == ()


@pytest.mark.parametrize(
    ("planted", "text"),
    [
        (layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEA"}}), "Python code in the file"),
        (layer("Lambda", function=function("relu", "keras.ops")), "the code of a Lambda (layer 'planted')"),
        (layer("TorchModuleWrapper", module="gASV"), "the code of a TorchModuleWrapper (layer 'planted')"),
        (layer("TorchModuleWrapper", "keras.src.utils.torch_utils"), "the code of a TorchModuleWrapper"),
        (layer("TFSMLayer", filepath="/tmp/model"), "the code of a TFSMLayer"),
        (layer("Lambda", None), "the code of a Lambda"),
        (layer("Evil", "evil"), "the class 'Evil' (layer 'planted')"),
        (layer("system", "os"), "the class 'system'"),
        (layer("Popen", "subprocess"), "the class 'Popen'"),
        (layer("Dense", registered_name="mine>Dense"), "the class 'mine>Dense'"),
        (layer("Dense", "keras_hub.layers"), "the class 'Dense'"),
        (layer("Dense", "kerasevil.layers"), "the class 'Dense'"),
        (layer("Dense", "keras.layers.evil"), "the class 'Dense'"),
        (layer("Dense", "builtins"), "the class 'Dense'"),
        (layer("Nothing"), "the class 'Nothing'"),
        (layer("deserialize"), "the class 'deserialize'"),
        (layer("load_model", "keras.saving"), "the class 'load_model'"),
        (layer("clone_model", "keras.models"), "the class 'clone_model'"),
        (layer("get_file", "keras.utils"), "the class 'get_file'"),
        (layer("CSVLogger", "keras.callbacks"), "the class 'CSVLogger'"),
        (layer("Model", "keras.src.saving.saving_lib"), "the class 'Model'"),
        (layer("Popen", "keras.src.utils.io_utils"), "the class 'Popen'"),
        (layer("__typespec__", spec_name="X"), "the class '__typespec__'"),
        (layer("TypeSpec", None), "the class 'TypeSpec'"),
        (layer(["Dense"]), "the class \"['Dense']\""),
        (layer("Dense", ["keras.layers"]), "the class 'Dense'"),
        (layer("Dense", activation=function("system", "os")), "the function 'system'"),
        (layer("Dense", activation=function("get_file", "keras.utils")), "the function 'get_file'"),
        (layer("Dense", activation=function("plot_model", "keras.utils")), "the function 'plot_model'"),
        (layer("Dense", activation=function("deserialize", "keras.activations")), "the function 'deserialize'"),
        (layer("Dense", activation=function("system", "builtins")), "the function 'system'"),
        (layer("Dense", activation=function("relu", "builtins", "mine>relu")), "the function 'mine>relu'"),
        (layer("Dense", activation=function(["relu"], "builtins", "relu")), "the function 'relu'"),
        (layer("StringLookup", vocabulary="/etc/passwd"), "reading '/etc/passwd' (layer 'planted')"),
        (layer("TextVectorization", standardize=function("f", "mine")), "the function 'f'"),
    ],
)
def test_code_that_would_run_is_found_and_named(planted, text):
    findings = texts(model(layer("Dense", units=3), planted))
    assert any(finding.startswith(text) for finding in findings), findings


def test_findings_are_found_at_any_depth_and_in_the_compile_config():
    inner = layer("TimeDistributed", layer=layer("Bidirectional", layer=layer("Cell", "mine", units=1)))
    config = {
        **model(model(inner)),
        "compile_config": {"loss": function("loss", "mine"), "metrics": [[layer("M", "m")]]},
    }
    assert set(texts(config)) == {
        f"the {kind} {name!r}{at}"
        for kind, name, at in (
            ("class", "Cell", " (layer 'planted')"),
            ("function", "loss", ""),
            ("class", "M", " (layer 'planted')"),
        )
    }


def test_names_from_a_file_cannot_command_a_terminal_or_fill_it():
    (text,) = texts(layer("E\x1b[2J" + "a" * 1000, "mine"))
    assert text.isprintable()
    assert len(text) < 150


def test_the_names_that_keras_publishes_are_read_from_its_source(backend):
    for module in {*_CLASSES, *_FUNCTIONS}:
        names = public_names(module)
        assert names, module
        published = importlib.import_module(module)
        assert all(hasattr(published, name) for name in names)


def test_no_framework_is_needed():
    script = (
        "import sys; from trivium.engine.bundles.code_in_config import find_code; "
        "print(find_code({'class_name': 'Dense', 'module': 'keras.layers', 'config': {}}), 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["()", "False"]


def test_the_layers_of_keras_applications_are_known(backend):
    """Each layer that Keras defines for a model of its own, with its module and its settings."""
    import keras

    folder = Path(keras.__file__).parent / "src" / "applications"
    names = [path.stem for path in folder.glob("[a-z]*.py") if not path.stem.endswith("_test")]
    modules = [importlib.import_module(f"keras.src.applications.{name}") for name in names]
    own = [value for module in modules for value in vars(module).values() if _is_layer_of(module, value)]
    settings = {kind: frozenset(inspect.signature(kind).parameters) - {"kwargs"} for kind in own}
    assert {kind.__name__: (kind.__module__, settings[kind]) for kind in own} == APPLICATION_LAYERS


def _is_layer_of(module, value):
    import keras

    return isinstance(value, type) and issubclass(value, keras.Layer) and value.__module__ == module.__name__


CONVNEXT = "keras.src.applications.convnext"
SCALE = {"init_values": 0.5, "projection_dim": 4}


@pytest.mark.parametrize(
    ("planted", "is_own"),
    [
        (layer("LayerScale", CONVNEXT, "LayerScale", **SCALE), True),
        (layer("LayerScale", None, **SCALE), True),
        (layer("LayerScale", "mine.layers", "LayerScale", **SCALE), False),
        (layer("LayerScale", CONVNEXT, "mine>LayerScale", **SCALE), False),
        (layer("LayerScale", None, dim=4), False),
        (layer("preprocess_input", CONVNEXT), False),
        (layer("LayerScale", "keras.src.applications.vgg16"), False),
    ],
)
def test_a_layer_of_an_application_is_told_from_others_of_its_name(planted, is_own):
    assert (texts(model(planted)) == []) == is_own


def test_no_layer_that_runs_code_has_a_second_name_in_keras(backend):
    """A class that is allowed by its module in Keras must not be an alias of such a layer."""
    import keras

    runners = [getattr(keras.layers, name) for name in CODE_RUNNING_LAYERS if hasattr(keras.layers, name)]
    assert len(runners) >= 4
    met = 0
    for name, module in list(sys.modules.items()):
        if _PRIVATE.fullmatch(name) or name in _CLASSES:
            met += 1
            for alias, value in vars(module).items():
                if isinstance(value, type) and issubclass(value, tuple(runners)):
                    assert alias in CODE_RUNNING_LAYERS, f"{name}.{alias}"
    assert met > 100


def test_every_layer_that_keras_guards_by_safe_mode_is_known(backend):
    """This fails when Keras guards another layer by its safe mode."""
    import keras.src

    guarded = set()
    for path in Path(keras.src.__file__).parent.rglob("*.py"):
        guarded |= _guarded_in(path) if "saving" not in path.parts and "_test" not in path.stem else set()
    assert guarded == {"Lambda", "TFSMLayer", "TorchModuleWrapper", "IndexLookup"}


def _guarded_in(path):
    if not path.is_file() or "in_safe_mode" not in (text := path.read_text("utf-8")):
        return set()
    names = [line.split()[1].split("(")[0].rstrip(":") for line in text.splitlines() if line.startswith("class ")]
    return set(names)


@pytest.mark.parametrize(
    ("value", "trusted"), [("1", True), ("yes", True), ("", False), ("0", False), ("no", False), ("False", False)]
)
def test_the_variable_may_say_no(monkeypatch, value, trusted):
    monkeypatch.setenv(trust.VARIABLE, value)
    assert trust.is_enabled() is trusted
