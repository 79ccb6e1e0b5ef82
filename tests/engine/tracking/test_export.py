"""Runs that are exported from their folders, read back by each tracker's own package or format."""

import pytest
from written_runs import LOSSES, write_run

from trivium.engine.tracking.destination import parse
from trivium.engine.tracking.export import export
from trivium.errors import OutputError

pytestmark = pytest.mark.plain


def send(run, text):
    (destination,) = parse(text)
    return export(run, destination)


@pytest.fixture
def scalars():
    """A function that returns what TensorBoard reads from a folder: by tag, the pairs of step and value."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(folder):
        events = EventAccumulator(str(folder))
        events.Reload()
        tags = events.Tags()
        values = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags["scalars"]}
        return values | {tag: events.Images(tag) for tag in tags["images"]}

    return read


def test_tensorboard_reads_the_epochs_and_the_evaluation(run, scalars):
    assert send(run, "tensorboard").is_new
    values = scalars(run / "tensorboard")
    assert values.keys() == {"loss", "test/loss"}
    assert values["loss"][:2] == [(1, pytest.approx(0.9)), (2, pytest.approx(0.5))]
    assert values["loss"][2][1] != values["loss"][2][1]  # NaN
    assert values["test/loss"] == [(3, pytest.approx(0.7))]


def test_tensorboard_gets_nothing_twice_and_what_is_new(run, scalars, tmp_path):
    text = f"tensorboard:dir={tmp_path / 'logs'}"
    assert send(run, text).is_new
    assert not send(run, text).is_new
    write_run(run, [*LOSSES, 0.3], settings={"options": {"units": 8, "filters": [4, 2]}, "epochs": 4, "seed": 5})
    again = send(run, f"{text},artifacts=true")
    assert again.is_new
    assert again.epochs == 4
    (folder,) = (tmp_path / "logs").iterdir()
    assert again.place == str(folder)
    values = scalars(folder)
    assert [step for step, _ in values["loss"]] == [1, 2, 3, 4]
    assert (values["curves"][0].width, values["curves"][0].height) == (6, 4)
    assert not send(run, f"{text},artifacts=true").is_new


def test_weights_and_biases_keeps_an_offline_run(run, tmp_path, capfd):
    pytest.importorskip("wandb")
    import wandb_files

    text = f"wandb:mode=offline,dir={tmp_path},project=mine"
    assert send(run, text).is_new
    assert not send(run, text).is_new
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    wandb_files.wait_for_end(folder)
    history = wandb_files.history_of(folder)
    assert [history[1], history[2]] == [{"loss": 0.9}, {"loss": 0.5}]
    assert wandb_files.config_of(folder).items() >= {"options.units": 8, "seed": 5, "data.checksum": "c0ffee"}.items()
    assert wandb_files.summary_of(folder).items() >= {"test/loss": 0.7, "state": "finished"}.items()
    (begun,) = (record.run for record in wandb_files.records_of(folder) if record.HasField("run"))
    assert (begun.project, begun.display_name) == ("mine", "run")
    assert capfd.readouterr() == ("", "")


def test_links_are_not_sent(run, tmp_path, scalars):
    (tmp_path / "private.png").write_bytes((run / "curves.png").read_bytes())
    (run / "holiday.png").symlink_to(tmp_path / "private.png")
    assert send(run, f"tensorboard:dir={tmp_path / 'logs'},artifacts=true").is_new
    (folder,) = (tmp_path / "logs").iterdir()
    assert "curves" in scalars(folder)
    assert "holiday" not in scalars(folder)


def test_a_link_in_a_run_does_not_decide_where_logs_are_written(run, tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "elsewhere").mkdir()
    (run / "tensorboard").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a link to"):
        send(run, "tensorboard")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_run_that_trains_is_not_exported(run):
    pytest.importorskip("tensorboard")
    from trivium.engine.runs import run_lock

    write_run(run, state="running")
    with run_lock.hold(run), pytest.raises(OutputError, match="is still training: export it when it has ended"):
        send(run, "tensorboard")
