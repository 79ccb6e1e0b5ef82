"""`trivium predict` and `trivium evaluate`: the right numbers, or a one-line message about unreadable input."""

import json
import shutil

import numpy as np
import polars
import pytest
from PIL import Image

from trivium.cli.output.numbers import share
from trivium.data.sources import files, waves
from trivium.engine.bundles import bundle as bundles
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.errors import DataError


@pytest.fixture
def copied(saved_runs, tmp_path):
    """A copy of a run's bundle, to be spoilt."""

    def copy(name):
        return shutil.copy(saved_runs[name] / "bundle.trivium", tmp_path / "copy.trivium")

    return copy


@pytest.fixture
def some_digits(digits, tmp_path):
    """The path of an `.npy` file with 25 test digits."""
    path = tmp_path / "digits.npy"
    np.save(path, digits.test.x[:25])
    return path


# --- predict --------------------------------------------------------------------------------------------------------


def test_predict_tells_labels_with_their_probabilities(cli, saved_runs, digits, some_digits):
    shown = cli("predict", saved_runs["striding"], some_digits, "--json")
    assert (shown.code, shown.err) == (0, "")
    document = json.loads(shown.out)
    assert (document["schema"], document["source"]) == (1, str(saved_runs["striding"]))
    expected = predict(saved_runs["striding"], digits.test.x[:25])
    assert [row["index"] for row in document["predictions"]] == list(range(25))
    assert {row["file"] for row in document["predictions"]} == {str(some_digits)}
    for row, value, output in zip(document["predictions"], expected.values, expected.outputs, strict=True):
        assert row["prediction"]["label"] == str(value)
        assert row["prediction"]["probability"] == pytest.approx(output.max(), rel=1e-5)
        assert list(row["prediction"]["probabilities"]) == list("0123456789")
        assert sum(row["prediction"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_predict_prints_the_probability_of_each_class(cli, refused, saved_runs, digits, some_digits, here):
    shutil.copy(some_digits, "d.npy")
    lines = cli("predict", saved_runs["striding"], "d.npy", "--all-classes").out.splitlines()
    assert lines[1].split() == ["file", "sample", *"0123456789"]
    rows = [line.split()[2:] for line in lines if "d.npy" in line]
    expected = predict(saved_runs["striding"], digits.test.x[:20]).outputs
    assert rows == [[share(float(value), 2) for value in row] for row in expected]
    assert lines[-1] == "… and 5 more: --out FILE.csv and --json have all."
    long = "a" * 120 + ".npy"
    shutil.copy(some_digits, long)
    listed = cli("predict", saved_runs["striding"], long, "--all-classes").out.splitlines()
    assert listed[1].split() == ["file", "sample", "class", "probability"], "in columns it would be cut"
    assert float(listed[3].split()[-1].rstrip("%")) == pytest.approx(100 * expected[0].max(), abs=0.01)
    np.save("wave.npy", np.zeros((8, 1)))
    message = refused("predict", saved_runs["lstm"], "wave.npy", "--all-classes")
    assert "--all-classes: the model of rnn/lstm does not answer one class: leave it out" in message


@pytest.mark.one_environment
def test_the_probabilities_of_many_classes_and_of_several_outputs_are_tables_of_their_own():
    from trivium.cli.predict import _by_output, _probability_table

    many = {"label": "c3", "probabilities": {f"c{n}": (0.5 if n == 3 else 0.01) for n in range(20)}}
    few = {"label": None, "probabilities": {"no": None, "yes": None}}
    rows = [{"file": "a.npy", "index": 0, "prediction": {"kind": many, "sure": few, "price": 2.5}}]
    outputs = _by_output(rows)
    assert outputs == {"kind": [many], "sure": [few]}
    listed = _probability_table("kind", rows, outputs["kind"])
    assert list(listed.columns[2].cells)[:2] == ["c3", "c0"]
    assert len(listed.rows) == 20
    assert [list(column.cells) for column in _probability_table("sure", rows, outputs["sure"]).columns][2:] == [
        ["–"]
    ] * 2


def test_predict_prints_twenty_rows_and_says_how_many_more(cli, saved_runs, some_digits):
    lines = cli("predict", saved_runs["striding"], some_digits).out.splitlines()
    rows = [line.split() for line in lines if str(some_digits) in line]
    assert [int(row[1]) for row in rows] == list(range(20))
    assert all(row[2] in "0123456789" and row[3].endswith("%") for row in rows)
    assert lines[-1] == "… and 5 more: --out FILE.csv and --json have all."


@pytest.mark.parametrize("read", [polars.read_csv, polars.read_parquet])
def test_predict_writes_all_predictions_into_a_table(cli, saved_runs, digits, some_digits, here, read):
    path = here / f"answers.{read.__name__.removeprefix('read_')}"
    shown = cli("predict", saved_runs["striding"], some_digits, "--out", path)
    assert (shown.code, shown.out.splitlines()[-1]) == (0, f"kept {path}")
    table, expected = read(path), predict(saved_runs["striding"], digits.test.x[:25])
    assert table.columns == ["file", "index", "prediction", "probability", *(f"p({digit})" for digit in range(10))]
    assert table["prediction"].cast(polars.Int64).to_list() == expected.values.tolist()
    np.testing.assert_allclose(table[:, -10:].to_numpy(), expected.outputs, rtol=1e-5)


def test_a_table_of_another_kind_is_refused_before_the_work(refused, saved_runs, some_digits, here):
    message = refused("predict", saved_runs["striding"], some_digits, "--out", "answers.xlsx")
    assert message == "trivium: --out: answers.xlsx has to end in .csv or .parquet"


def test_predict_reads_pictures_and_several_files(cli, saved_runs, digits, tmp_path):
    for i, name in enumerate(["a.png", "b.jpg"]):
        Image.fromarray(digits.test.x[i]).resize((280, 280)).save(tmp_path / name)
    document = json.loads(cli("predict", saved_runs["striding"], tmp_path / "a.png", tmp_path / "b.jpg", "--json").out)
    assert [(row["file"], row["index"]) for row in document["predictions"]] == [
        (str(tmp_path / "a.png"), 0),
        (str(tmp_path / "b.jpg"), 0),
    ]


def test_predict_reads_a_table_and_answers_on_the_scale_of_the_data(cli, saved_runs, tmp_path):
    wave = waves.wave(0, 10)
    table = tmp_path / "wave.csv"
    table.write_text("value\n" + "\n".join(map(repr, map(float, wave))))
    document = json.loads(cli("predict", saved_runs["lstm"], table, "--json").out)
    expected = predict(saved_runs["lstm"], wave).values
    np.testing.assert_allclose([row["prediction"] for row in document["predictions"]], expected[:, 0], rtol=1e-5)
    assert len(document["predictions"]) == 8, "one after each window of three"
    assert str(table) in cli("predict", saved_runs["lstm"], table).out


def write_inputs(folder, digits):
    x = digits.test.x[:3]
    floats = x.astype("float32")
    floats[1, 2, 3] = np.inf
    for name, array in {
        "nan": floats,
        "strings": np.array(["a", "b"]),
        "flat": x.reshape(3, -1),
        "small": x[:, :20, :20],
        "empty": x[:0],
        "number": np.array(3.0),
    }.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "objects.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    (folder / "short.npy").write_bytes((folder / "flat.npy").read_bytes()[:-100])
    (folder / "words.csv").write_text("1,2\n3,four\n")
    (folder / "ragged.csv").write_text("1,2\n3\n")
    (folder / "nothing.csv").write_text("")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    (folder / "text.png").write_text("no picture")
    (folder / "model.h5").write_text("something")
    Image.new("L", (50, 50), 128).save(folder / "blank.png")
    Image.fromarray(x[0]).resize((200, 200)).save(folder / "whole.png")
    (folder / "short.png").write_bytes((folder / "whole.png").read_bytes()[:300])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.npy", "no such file"),
        ("missing.csv", "no such file"),
        ("missing.png", "no such file"),
        ("nan.npy", "1 of its values are NaN or infinite, the first at index (1, 2, 3)"),
        ("strings.npy", "expected numbers, received dtype <U1"),
        ("objects.npy", "cannot be read as arrays"),
        ("short.npy", "cannot be read as arrays, truncated or not NumPy's"),
        ("flat.npy", "expected grey images (n, height, width), received shape (3, 784)"),
        ("small.npy", "(20, 20, 1) but the model takes (28, 28, 1)"),
        ("empty.npy", "there is no sample in it (shape (0, 28, 28))"),
        ("number.npy", "there is no sample in it (shape ())"),
        ("words.csv", "row 2 of column 2 holds 'four', expected a number"),
        ("ragged.csv", "its rows have between 1 and 2 columns"),
        ("nothing.csv", "there is no row in it"),
        ("binary.csv", "cannot be read as a table"),
        ("text.png", "not a picture that can be read"),
        ("short.png", "not a picture that can be read"),
        ("blank.png", "no digit can be seen"),
        ("model.h5", "expected .npy, .npz, .safetensors, .csv, .tsv, .parquet, .feather, .arrow, .png, .jpg, .jpeg"),
    ],
)
def test_inputs_that_cannot_be_read_are_refused(refused, saved_runs, digits, tmp_path, name, message):
    write_inputs(tmp_path, digits)
    assert message in refused("predict", saved_runs["striding"], tmp_path / name)


def test_no_altered_byte_of_an_array_file_is_anything_but_a_data_error(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.ones((5, 3)))
    whole, surprises = path.read_bytes(), {}
    for at in range(128):  # the header, which NumPy parses as Python
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            files.read_array(path)
        except DataError:
            continue
        except Exception as error:
            surprises[at] = repr(error)
    assert surprises == {}


def test_a_wave_that_is_shorter_than_the_window_is_refused(refused, saved_runs, tmp_path):
    np.save(tmp_path / "short.npy", np.zeros(2))
    line = refused("predict", saved_runs["lstm"], tmp_path / "short.npy")
    assert "a series of 2 values is shorter than the window of 3" in line


# --- evaluate -------------------------------------------------------------------------------------------------------


def test_evaluate_measures_on_a_file_of_data(cli, saved_runs, small_digits, backend):
    document = json.loads(cli("evaluate", saved_runs["striding"], "--data", small_digits, "--json").out)
    assert (document["schema"], document["source"], document["backend"]) == (
        1,
        str(saved_runs["striding"]),
        backend.name,
    )
    assert document["metrics"] == pytest.approx(evaluate(saved_runs["striding"], small_digits), rel=1e-5)
    correct = document["metrics"]["accuracy"] * 20
    assert correct == pytest.approx(round(correct), abs=1e-4)


def test_evaluate_takes_the_data_that_the_run_was_trained_on(cli, saved_runs, lstm_run):
    shown = cli("evaluate", saved_runs["lstm"], "--json")
    assert json.loads(shown.out)["metrics"] == pytest.approx(lstm_run.evaluation, rel=1e-4)
    rows = [line.split() for line in cli("evaluate", saved_runs["lstm"]).out.splitlines()]
    assert ["rms_error", f"{lstm_run.evaluation['rms_error']:.6g}"] in rows or any(
        row[:1] == ["rms_error"] and float(row[1]) == pytest.approx(lstm_run.evaluation["rms_error"], rel=1e-4)
        for row in rows
    )


def test_data_that_a_model_cannot_be_measured_on_are_refused(refused, saved_runs, digits, tmp_path):
    run = saved_runs["striding"]
    np.savez(tmp_path / "train.npz", x=digits.train.x[:9], y=digits.train.y[:9])
    assert "has no test split (x_test, y_test)" in refused("evaluate", run, "--data", tmp_path / "train.npz")
    assert "unknown dataset 'nosuch'" in refused("evaluate", run, "--data", "nosuch")
    assert "no such file" in refused("evaluate", run, "--data", "nosuch.npz")
    assert "expected grey images" in refused("evaluate", run, "--data", "waves:0")


# --- bundles --------------------------------------------------------------------------------------------------------


def test_a_bundle_that_is_not_there_is_refused_with_how_to_make_one(refused, some_digits, tmp_path):
    for command in (["evaluate", "nosuch"], ["predict", "nosuch", some_digits], ["evaluate", tmp_path]):
        line = refused(*command)
        assert f"no bundle at {command[1]}" in line
        assert f"`trivium train RECIPE --out {command[1]}` makes one" in line


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_bundle_is_refused(refused, tmp_path, content):
    path = tmp_path / "file.trivium"
    path.write_bytes(content)
    assert f"{path} is not a bundle" in refused("evaluate", path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_bundle_is_refused(refused, copied, part):
    path = copied("striding")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    assert f"{path} is not a bundle, or was truncated" in refused("evaluate", path)


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


@pytest.mark.parametrize("part", range(50))
def test_a_bundle_with_one_altered_byte_is_refused_or_harmless(cli, copied, saved_runs, some_digits, part):
    path = copied("striding")
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, int((part + 0.5) / 50 * len(whole))))
    shown = cli("predict", path, some_digits, "--json")
    if shown.code == 2:
        assert shown.err == shown.complaint + "\n"
        assert str(path) in shown.complaint
    else:
        original = json.loads(cli("predict", saved_runs["striding"], some_digits, "--json").out)
        assert json.loads(shown.out)["predictions"] == original["predictions"]


def places_to_alter(content):
    """Every byte of the zip's own structure: the first header, the first two entries of the directory, the end."""
    directory = content.index(b"PK\x01\x02")
    return [*range(60), *range(directory, directory + 120), *range(len(content) - 22, len(content))]


def test_no_altered_byte_of_the_zip_itself_is_anything_but_a_bundle_error(copied, saved_runs):
    path, original = copied("lstm"), bundles.load(saved_runs["lstm"])
    whole = path.read_bytes()
    surprises = {}
    for at in places_to_alter(whole):
        path.write_bytes(flipped(whole, at))
        try:
            assert bundles.load(path).keras_file == original.keras_file
        except bundles.BundleError:
            continue
        except Exception as error:
            surprises[at] = repr(error)
    assert surprises == {}
