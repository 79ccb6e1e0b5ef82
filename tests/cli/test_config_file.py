"""`--config FILE`: options from a file, by the names that they have on the command line."""

import json

import pytest

from trivium.engine.runs.run_record import read_record

ONE = pytest.mark.one_environment

TOML = """
recipe = "dense/dropout"
data = "digits.npz"
epochs = 2
batch-size = 30
validation_split = 0.25
shuffle = false
deterministic = true
checkpoint = ["every=1", "best=val_accuracy"]
metrics = ["accuracy"]
out = "run"

[set]
units = 8
layers = 1

[early-stopping]
monitor = "val_loss"
patience = 5
restore_best = true
"""


@pytest.fixture
def files(here, small_digits):
    small_digits.rename(here / "digits.npz")
    (here / "run.toml").write_text(TOML)
    return here


@ONE
def test_options_of_a_file_are_those_of_the_command_line(cli, files):
    done = cli("train", "--config", "run.toml", "--epochs", "1", "--json")
    assert done.code == 0, done.err
    record = read_record(files / "run")
    assert record["recipe"] == "dense/dropout"
    assert len(record["history"]) == 1  # what is typed counts first
    assert record["settings"]["options"].items() >= {"units": 8, "layers": 1}.items()
    assert record["settings"]["shuffle"] is False
    assert record["asked"]["checkpoints"] == ["every=1", "best=val_accuracy"]
    assert record["asked"]["early_stopping"] == "monitor=val_loss,patience=5,restore_best=true"
    assert cli("train", "--resume", "--out", "run", "--epochs", "2").code == 0
    assert len(read_record(files / "run")["history"]) == 2


@ONE
def test_printed_options_are_a_file_of_options(cli, files):
    printed = cli("train", "--config", "run.toml", "--seed", "7", "--print-config")
    assert printed.code == 0, printed.err
    assert not (files / "run").exists()
    options = json.loads(printed.out)
    assert options["seed"] == 7
    assert options["set"] == ["units=8", "layers=1"]
    assert options["validation-split"] == 0.25
    assert options["shuffle"] is False
    assert json.loads(cli("train", "--validation-split", "0", "--print-config").out)["validation-split"] == 0
    (files / "again.json").write_text(printed.out)
    assert json.loads(cli("train", "--config", "again.json", "--print-config").out) == options


@ONE
def test_options_in_yaml_and_in_the_record_of_a_run(cli, files):
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    options = json.loads(cli("train", "--config", "run.toml", "--epochs", "1", "--print-config").out)
    (files / "run.yaml").write_text(yaml.safe_dump(options))
    assert cli("train", "--config", "run.yaml").code == 0
    again = cli("train", "--config", "run/run.json", "--out", "again")
    assert again.code == 0, again.err
    one, other = (read_record(files / name) for name in ("run", "again"))
    assert one["settings"] == other["settings"]
    assert one["history"] == other["history"]


@ONE
def test_a_search_takes_its_grid_from_a_file(cli, files):
    grid = {"recipe": "dense/dropout", "data": "digits.npz", "grid": {"units": [4, 8]}, "folds": 2, "epochs": 1}
    (files / "search.json").write_text(json.dumps(grid))
    done = cli("search", "--config", "search.json", "--out", "scores", "--json")
    assert done.code == 0, done.err
    assert [row["params"] for row in json.loads(done.out)["rows"]] in (
        [{"units": 4}, {"units": 8}],
        [{"units": 8}, {"units": 4}],
    )


@pytest.mark.plain
def test_a_list_of_values_in_a_file_of_a_search_is_a_sweep(cli, here):
    file = {"recipe": "cnn/simple", "optimizer": ["adam", "sgd"], "grid": {"filters": [[8, 4], [16, 8]]}, "epochs": [1]}
    (here / "search.json").write_text(json.dumps(file))
    options = json.loads(cli("search", "--config", "search.json", "--print-config").out)
    assert options["grid"] == ["filters=[8, 4],[16, 8]", "optimizer=adam,sgd", "epochs=1"]
    (here / "again.json").write_text(json.dumps(options))
    assert json.loads(cli("search", "--config", "again.json", "--print-config").out) == options
    typed = json.loads(cli("search", "--config", "search.json", "--grid", "units=3", "--print-config").out)
    assert typed["grid"] == ["units=3"]


@pytest.mark.plain
def test_a_suite_takes_options_from_a_file(cli, here):
    (here / "bench.json").write_text(json.dumps({"recipes": ["dense/small", "rnn/lstm"], "budget": "9s"}))
    options = json.loads(cli("bench", "epochs", "--config", "bench.json", "--print-config").out)
    assert options["recipes"] == "dense/small,rnn/lstm"
    assert options["budget"] == 9


@pytest.mark.plain
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "epoch = 3", "a.toml has no option of train in 'epoch'; did you mean 'epochs'"),
        ("a.toml", "epochs = ", "a.toml is not TOML"),
        ("a.toml", "trust = true", "a.toml has no option of train in 'trust'"),
        ("a.json", "[3]", "a.json is no file of options: expected lines `option: value`"),
        ("a.json", '{"epochs": "many"}', "'many' is not a valid integer"),
        ("a.json", '{"epochs": [1, 2]}', "a.json: epochs takes one value in train, received 2: `trivium search` tries"),
        ("a.json", '{"optimizer": ["adam", "sgd"]}', "a.json: optimizer takes one value in train, received 2"),
        ("a.ini", "epochs = 3", "a.ini: expected a file of options in .yaml, .yml, .toml or .json"),
        (None, "", "cannot read missing.toml: No such file"),
    ],
)
def test_what_is_no_file_of_options_is_refused_in_one_line(refused, here, name, text, message):
    if name:
        (here / name).write_text(text)
    assert message in refused("train", "dense/small", "--config", name or "missing.toml")


@ONE
def test_the_record_of_a_run_from_elsewhere_decides_about_no_files(cli, refused, files):
    assert cli("train", "--config", "run.toml", "--epochs", "1").code == 0
    record = json.loads((files / "run" / "run.json").read_text())
    record["asked"]["csv"] = "/tmp/overwritten.csv"
    (files / "run" / "run.json").write_text(json.dumps(record))
    assert "writes outside of its folder" in refused("train", "--config", "run/run.json", "--out", "other")
    (files / "run.json").write_text('{"epochs": 2}')
    assert "options of your own need a file of another name" in refused("train", "--config", "run.json")
