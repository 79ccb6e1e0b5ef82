"""Hostile model files are refused in one line before Keras builds anything; honest files load."""

import io
import stat
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from trivium.backends import keras_internals
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles import keras_files, model_file, trust
from trivium.engine.bundles.bundle import Bundle
from trivium.errors import BundleError, FileError, TriviumError
from trivium.functions import load_function

pytestmark = pytest.mark.one_environment

HOSTILE = Path(__file__).parents[2] / "helpers" / "hostile.py"
with_claimed_size, function, layer, rezip, with_config, with_hdf5, with_layer, with_member = (
    load_function(f"{HOSTILE}:{name}")
    for name in (
        "with_claimed_size",
        "function",
        "layer",
        "rezip",
        "with_config",
        "with_hdf5",
        "with_layer",
        "with_member",
    )
)
WEIGHTS, KERNEL = "model.weights.h5", "layers/dense/vars/0"

CUSTOM = """
import keras

@keras.saving.register_keras_serializable(package="own_file")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

def build():
    return keras.Sequential([keras.Input((3,)), Doubled()])
"""


def saved(model, folder):
    model.save(folder / "model.keras")
    return (folder / "model.keras").read_bytes()


@pytest.fixture(scope="module")
def honest(backend, tmp_path_factory):
    """The bytes of a small `.keras` file, which no test changes."""
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="answer"), keras.layers.Dropout(0.5)])
    model.compile("sgd", loss="mse")
    return saved(model, tmp_path_factory.mktemp("honest"))


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A folder with the working directory and the directory for temporary files; both must stay empty."""
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield tmp_path
    leftovers = [path for path in tmp_path.rglob("*") if path.name not in ("here", "temporary")]
    assert leftovers == []


def refused(content, match):
    with pytest.raises(TriviumError, match=match) as caught:
        keras_files.load_model(content, "it.keras", trusted=False)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def numbers(array):
    stream = io.BytesIO()
    np.savez(stream, array)
    return stream.getvalue()


def pickled():
    stream = io.BytesIO()
    np.savez(stream, np.array([{}], dtype=object))
    return stream.getvalue()


def replaced(file, name, **settings):
    del file[name]
    file.create_dataset(name, **settings)


def link():
    info = zipfile.ZipInfo("assets/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


# --- honest files ---------------------------------------------------------------------------------------------------


def test_an_honest_file_is_examined_and_built(honest, watched):
    model_file = keras_files.examine(honest, "it.keras")
    assert (model_file.format, model_file.code, list(model_file.members)) == (
        "keras",
        (),
        ["metadata.json", "config.json", WEIGHTS],
    )
    assert model_file.arrays[KERNEL].shape == (3, 2)
    assert keras_files.load_model(honest, "it.keras").predict(np.zeros((1, 3)), verbose=0).tolist() == [[0, 0]]


def test_a_compressed_file_is_honest_too(honest):
    packed = rezip(honest, compression=zipfile.ZIP_DEFLATED)
    assert keras_files.examine(packed, "it.keras").arrays == keras_files.examine(honest, "it.keras").arrays


def test_a_legacy_file_is_examined_and_built(honest, tmp_path, backend):
    import keras

    model = keras_files.load_model(honest, "it.keras")
    model.compile(
        "sgd", loss=keras.losses.MeanSquaredError()
    )  # Keras cannot reload a legacy file with a loss given by its short name
    model.save(tmp_path / "old.h5")
    model_file = keras_files.examine(tmp_path / "old.h5")
    assert (model_file.format, model_file.code, model_file.backend) == ("h5", (), backend.name)
    assert model_file.keras_version == keras.__version__
    copy = keras_files.load_model(tmp_path / "old.h5")
    np.testing.assert_array_equal(copy.get_weights()[0], model.get_weights()[0])


def test_a_weights_file_is_examined_and_is_no_model(honest, tmp_path):
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        content = archive.read(WEIGHTS)
    assert keras_files.examine(content, "it").format == "weights"
    with pytest.raises(BundleError, match="it holds weights and no model"):
        keras_files.load_model(content, "it")


# --- hostile ones ---------------------------------------------------------------------------------------------------

PLANTED = {
    "a class of another module": (lambda c: with_layer(c, layer("system", "os")), r"would run the class 'system'"),
    "a registered name": (
        lambda c: with_layer(c, layer("Dense", registered_name="mine>Dense", units=2)),
        r"would run the class 'mine>Dense' \(layer 'planted'\): use --trust if you trust whoever made it",
    ),
    "a function that fetches files": (
        lambda c: with_layer(c, layer("Dense", units=2, activation=function("get_file", "keras.utils"))),
        "would run the function 'get_file'",
    ),
    "a function that writes files": (
        lambda c: with_layer(c, layer("Activation", activation=function("plot_model", "keras.utils"))),
        "would run the function 'plot_model'",
    ),
    "a pickled torch module": (
        lambda c: with_layer(c, layer("TorchModuleWrapper", module="gASV")),
        "would run the code of a TorchModuleWrapper",
    ),
    "a SavedModel": (
        lambda c: with_layer(c, layer("TFSMLayer", filepath="/tmp/x")),
        "would run the code of a TFSMLayer",
    ),
    "a vocabulary of this machine": (
        lambda c: with_layer(c, layer("StringLookup", vocabulary="/etc/passwd")),
        "would run reading '/etc/passwd'",
    ),
    "a loss of its own": (
        lambda c: with_config(c, lambda config: config["compile_config"].update(loss=function("system", "os"))),
        "would run the function 'system'",
    ),
    "a rank without weights": (
        lambda c: with_config(c, lambda config: config["config"]["layers"][1]["config"].update(lora_rank=10**6)),
        "a layer declares lora_rank 1,000,000, more than any axis of its weights",
    ),
    "a layer too large": (
        lambda c: with_config(c, lambda config: config["config"]["layers"][1]["config"].update(units=10**12)),
        "a layer declares units 1,000,000,000,000, and the file does not hold so many weights",
    ),
    "a bomb": (
        lambda c: with_claimed_size(c, "metadata.json", 3_000_000_000),
        "metadata.json would become 3,000,000,000 bytes out of 64: a zip bomb, not unpacked",
    ),
    "a name that leaves": (lambda c: rezip(c, extra=[("../../evil", b"x")]), r"'../../evil', which could leave"),
    "an absolute name": (lambda c: rezip(c, extra=[("/tmp/evil", b"x")]), "could leave the folder"),
    "a link": (lambda c: rezip(c, extra=[(link(), b"/etc/passwd")]), "is a link or a device"),
    "a strange member": (lambda c: rezip(c, extra=[("evil.py", b"x")]), "is no .keras file: expected config.json"),
    "no configuration": (lambda c: rezip(c, drop=("config.json",)), "is no .keras file: expected config.json"),
    "no weights": (lambda c: rezip(c, drop=(WEIGHTS,)), "is no .keras file"),
    "a deep configuration": (
        lambda c: with_member(c, "config.json", b'{"config":' * 5000 + b"1" + b"}" * 5000),
        "nested deeper than 100 levels",
    ),
    "a list for a configuration": (lambda c: with_member(c, "config.json", b"[]"), "holds list, expected an object"),
    "half a configuration": (lambda c: with_member(c, "config.json", b'{"config": '), "is not JSON, or was truncated"),
    "pickled weights": (
        lambda c: rezip(c, drop=(WEIGHTS,), extra=[("model.weights.npz", pickled())]),
        "holds pickled objects, which could run code",
    ),
    "truncated weights": (
        lambda c: rezip(c, change=lambda name, old: old[: len(old) // 2] if name == WEIGHTS else old),
        "cannot be read as HDF5, truncated or damaged",
    ),
    "weights of another file": (
        lambda c: with_hdf5(c, lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/secret.h5", "/"))),
        "is a ExternalLink to '/etc/secret.h5', which could lead out of the file",
    ),
    "weights that lie about their size": (
        lambda c: with_hdf5(c, lambda f: replaced(f, KERNEL, shape=(10**9, 2), dtype="f4", chunks=(1000, 2))),
        "declares 8,000,000,000 bytes and holds 0: a bomb",
    ),
    "weights of a wrong shape": (
        lambda c: with_hdf5(c, lambda f: replaced(f, KERNEL, data=np.ones((5, 2), "float32"))),
        r"Keras [\d.]+ cannot load it.keras: ",
    ),
    "weights missing": (
        lambda c: with_hdf5(c, lambda f: f.__delitem__("layers")),
        r"Keras [\d.]+ cannot load it.keras: ",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_hostile_file_is_refused_with_one_line(name, honest, watched):
    plant, match = PLANTED[name]
    refused(plant(honest), match)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_second_configuration_is_refused(honest):
    """Otherwise one of them would be checked and the other one built."""
    refused(rezip(honest, extra=[("config.json", b"{}")]), "'config.json' is in it twice")


def test_a_hostile_model_in_a_bundle_is_a_bundle_error(honest, saved_runs, watched):
    bundle = bundles.load(saved_runs["lstm"])
    for name in ("a class of another module", "a bomb", "truncated weights"):
        plant, match = PLANTED[name]
        hostile = Bundle(plant(honest), *list(vars(bundle).values())[1:6])
        with pytest.raises(BundleError, match=match):
            hostile.build()


# --- trust ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_lambda(backend, tmp_path_factory):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x + 1, name="one_more")])
    return saved(model, tmp_path_factory.mktemp("lambda"))


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    """No file is trusted, and nothing has been announced."""
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    monkeypatch.setattr(trust, "_announced", set())


def test_a_lambda_is_refused_by_its_name(with_lambda):
    assert "Python code in the file" in str(
        refused(with_lambda, r"it.keras would run the code of a Lambda \(layer 'one_more'\)")
    )


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_with_trust_a_lambda_is_announced_and_runs(with_lambda, how, monkeypatch, capsys):
    if how == "environment":
        monkeypatch.setenv(trust.VARIABLE, "1")
    model = keras_files.load_model(with_lambda, "it.keras", trusted=True if how == "argument" else None)
    assert model.predict(np.zeros((1, 3)), verbose=0).tolist() == [[1, 1, 1]]
    message = capsys.readouterr().err
    assert message.startswith("trivium: trusted: it.keras runs the code of a Lambda (layer 'one_more')")


def test_a_class_that_this_process_has_registered_needs_no_trust(tmp_path, backend, capsys):
    import keras

    @keras.saving.register_keras_serializable(package="test_safe_files")
    class Tripled(keras.layers.Layer):
        def call(self, x):
            return 3 * x

    content = saved(keras.Sequential([keras.Input((3,)), Tripled()]), tmp_path)
    model = keras_files.load_model(content, "it.keras")
    assert model.predict(np.ones((1, 3)), verbose=0).tolist() == [[3, 3, 3]]
    assert capsys.readouterr().err == ""


def test_with_trust_the_file_of_the_recipe_is_imported_for_its_class(tmp_path, backend, capsys):
    import keras

    (tmp_path / "own.py").write_text(CUSTOM)
    name = f"{tmp_path / 'own.py'}:build"
    content = saved(load_function(name)(), tmp_path)
    forget = [key for key in keras.saving.get_custom_objects() if "Doubled" in key]
    for key in forget:
        del keras.saving.get_custom_objects()[key]
    refused(content, "would run the class 'own_file>Doubled'")
    with pytest.raises(
        BundleError, match=r"needs the class 'own_file>Doubled' .*, which is not registered: import the file"
    ):
        keras_files.load_model(content, "it.keras", trusted=True)
    (tmp_path / "again.py").write_text(CUSTOM)
    model = keras_files.load_model(content, "it.keras", trusted=True, recipe=f"{tmp_path / 'again.py'}:build")
    assert model.predict(np.ones((1, 3)), verbose=0).tolist() == [[2, 2, 2]]
    assert f"imports {str(tmp_path / 'again.py')!r}, by which it was trained" in capsys.readouterr().err


OWN = """
import keras

class Tripled(keras.layers.Layer):
    def call(self, x):
        return 3 * x

def at_the_top():
    return keras.Sequential([keras.Input((3,)), Tripled()])

def registered_within():
    @keras.saving.register_keras_serializable(package="own_file")
    class Inner(keras.layers.Layer):
        def call(self, x):
            return 3 * x

    return keras.Sequential([keras.Input((3,)), Inner()])

def within():
    class Innermost(keras.layers.Layer):
        def call(self, x):
            return 3 * x

    return keras.Sequential([keras.Input((3,)), keras.Sequential([Innermost()])])

def with_argument(units):
    return within()
"""


@pytest.mark.parametrize("function", ["at_the_top", "registered_within", "within"])
def test_with_trust_a_class_is_found_wherever_the_file_of_the_recipe_defines_it(
    tmp_path, backend, capsys, monkeypatch, function
):
    content = _of_another_process(tmp_path, monkeypatch, function)
    refused(content, "would run the class")
    recipe = f"{tmp_path / 'own.py'}:{function}"
    model = keras_files.load_model(content, "it.keras", trusted=True, recipe=recipe)
    assert model.predict(np.ones((1, 3)), verbose=0).tolist() == [[3, 3, 3]]
    if function != "registered_within":  # another model's class may have the same name
        refused(content, "would run the class")
    assert (f"calls {recipe!r}, by which it was trained" in capsys.readouterr().err) == (function != "at_the_top")


def test_a_recipe_with_arguments_or_one_that_is_not_here_is_told(tmp_path, backend, monkeypatch):
    content = _of_another_process(tmp_path, monkeypatch, "within")
    for recipe, reason in (
        (f"{tmp_path / 'own.py'}:with_argument", r"which is not registered: import"),
        ("gone.py:within", r"which is not registered \(it was trained by gone.py, which is not here\): import"),
    ):
        with pytest.raises(BundleError, match=reason):
            keras_files.load_model(content, "it.keras", trusted=True, recipe=recipe)


def _of_another_process(folder, monkeypatch, function):
    """Return a model's file, with its classes forgotten as in a process that has not built it."""
    import keras

    objects = keras.saving.get_custom_objects()
    before = dict(objects)
    (folder / "own.py").write_text(OWN)
    content = saved(load_function(f"{folder / 'own.py'}:{function}")(), folder)
    for name in set(objects) - set(before):
        del objects[name]
    return content


def test_trust_does_not_open_a_damaged_file(honest):
    for name in ("a bomb", "a name that leaves", "weights of another file"):
        plant, match = PLANTED[name]
        with pytest.raises(FileError, match=match):
            keras_files.load_model(plant(honest), "it.keras", trusted=True)


def test_keras_by_itself_would_resolve_a_function_that_is_refused_here(honest, tmp_path, backend):
    """This is why trivium has an allow list; if this fails, Keras itself refuses such a function."""
    import keras

    planted = with_layer(honest, layer("Activation", activation=function("plot_model", "keras.utils")))
    (tmp_path / "model.keras").write_bytes(planted)
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert model.layers[-1].activation is keras.utils.plot_model  # which writes a file to any path


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_the_layers_of_keras_applications_load_without_trust(backend, tmp_path, ending):
    import keras

    scale = keras_internals.private_class("keras.src.applications.convnext", "LayerScale")
    weighted_sum = keras_internals.private_class("keras.src.applications.inception_resnet_v2", "CustomScaleLayer")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, weighted_sum(scale=0.5)([inputs, scale(2.0, 4)(inputs)]))
    model.save(tmp_path / f"it.{ending}")
    loaded = keras_files.load_model((tmp_path / f"it.{ending}").read_bytes(), "it", trusted=False)
    np.testing.assert_allclose(loaded.predict(np.ones((1, 4)), verbose=0), np.full((1, 4), 2.0))


def test_an_h5_file_of_keras_3_with_a_loss_by_its_short_name_is_compiled(backend, tmp_path):
    """Keras 3.15 writes such a file and cannot read it: when it can, `published_compilation` can go."""
    import keras

    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((8, 4)), np.zeros((8, 2)), verbose=0)
    model.save(tmp_path / "it.h5")
    with pytest.raises(ValueError, match="KerasSaveable"):
        keras.saving.load_model(tmp_path / "it.h5")
    loaded = model_file.load(tmp_path / "it.h5")
    assert loaded.loss == "mse"
    assert int(loaded.optimizer.iterations) == 1


def test_an_h5_file_with_a_loss_of_its_authors_own_is_not_compiled_without_it(backend, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", lambda true, predicted: keras.ops.mean(true - predicted))
    model.save(tmp_path / "it.h5")
    with pytest.raises(BundleError, match=r"cannot load .*it\.h5"):
        model_file.load(tmp_path / "it.h5")
