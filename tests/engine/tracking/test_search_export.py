"""Searches that are exported: one run for the search, and one for each combination."""

import pytest
import wandb_files
from written_runs import write_search

from trivium.engine.tracking.destination import parse
from trivium.engine.tracking.export import export
from trivium.errors import OutputError

pytestmark = pytest.mark.plain


def send(folder, text):
    (destination,) = parse(text)
    return export(folder, destination)


def test_each_combination_is_a_run_and_one_more_is_added_later(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, text = write_search(tmp_path / "search", 8, "../../x"), f"tensorboard:dir={tmp_path / 'logs'}"
    assert send(folder, text).is_new
    assert not send(folder, text).is_new
    before = {path.name for path in (tmp_path / "logs").iterdir()}
    assert len(before) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"search", "logs"}
    again = send(write_search(folder, 8, "../../x", 16), text)
    assert (again.is_new, again.combinations) == (True, 3)
    (new,) = (path for path in (tmp_path / "logs").iterdir() if path.name not in before)
    assert new.name.startswith("search-units=16-")
    events = EventAccumulator(str(new))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("fold_accuracy")] == [(1, 0.5), (2, 0.75)]
    assert [event.value for event in events.Scalars("search/mean")] == [0.625]


def test_combinations_are_a_group_in_weights_and_biases(tmp_path):
    pytest.importorskip("wandb")
    assert send(write_search(tmp_path / "search", 8), f"wandb:mode=offline,dir={tmp_path}").is_new
    runs = {}
    for folder in (tmp_path / "wandb").glob("offline-run-*"):
        wandb_files.wait_for_end(folder)
        (run,) = (record.run for record in wandb_files.records_of(folder) if record.HasField("run"))
        runs[run.display_name] = run
    assert runs.keys() == {"search", "search: units=8"}
    assert runs["search: units=8"].run_group == runs["search"].run_id


@pytest.mark.parametrize("content", ["[]", '{"rows": []}', '{"rows": [{"params": 3, "scores": []}]}', '{"rows": [1]}'])
def test_other_results_are_no_search(tmp_path, content):
    pytest.importorskip("tensorboard")
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(OutputError, match="is no result of a search"):
        send(tmp_path, "tensorboard")
