"""Each command does what docs/data.md says with each kind of data, on each backend."""

from pathlib import Path

import data_sources
import numpy as np
import pytest
from data_sources import COMMANDS, SOURCES

import trivium
from trivium.backends import catalog
from trivium.data.data_source import dataset_of
from trivium.engine.plots import data_summary
from trivium.engine.prediction import inputs
from trivium.errors import PortError, TriviumError
from trivium.porting import targets

DOCUMENT = Path(__file__).parents[2] / "docs" / "data.md"


class Trained:
    """A source whose files are written, and that is trained once for all commands."""

    def __init__(self, source, folder):
        self.source, self.folder = source, folder
        self.data = source.make(folder)
        (folder / "models.py").write_text(data_sources.MODELS)
        is_several = source.builder == "several"
        self.model = data_sources.SEVERAL if is_several else f"{folder / 'models.py'}:{source.builder}"
        self.settings = {"target": "kind"} if source.title == "data frame" else {}
        self._run = None

    def train(self, name, **settings):
        return trivium.train(
            self.model, self.data, out=self.folder / name, **self.settings, **self.source.settings, **settings
        )

    @property
    def run(self):
        if self._run is None:
            self._run = self.train("run", epochs=2)
        return self.folder / "run"


@pytest.fixture(scope="module")
def trained(backend, tmp_path_factory):
    """Return a function that gives a source, trained under this backend."""
    known = {}

    def of(source):
        if source.title not in known:
            known[source.title] = Trained(source, tmp_path_factory.mktemp(source.builder))
        return known[source.title]

    return of


def data(one):
    summary = data_summary.summarize(dataset_of(one.data, **one.settings))
    assert summary["splits"]["train"]["samples"] > 0


def train(one):
    assert one.run.joinpath("bundle.trivium").is_file()
    assert len(one._run.history) == 2


def resume(one):
    one.train("parts", epochs=1)
    run = one.train("parts", epochs=2, resume=True)
    for ours, unbroken in zip(run.model.get_weights(), one._run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, unbroken)


def evaluate(one):
    assert all(np.isfinite(value) for value in trivium.evaluate(one.run).values())


def predict(one):
    new, bundle = one.source.new(one.folder), trivium.load(one.run)
    said = bundle.predict(inputs.read_named(bundle, new)[0] if isinstance(new, Path) else new).to_json()
    assert said
    assert len(said) == (3 if one.source.builder in ("rows", "several", "stream") else len(said))


def verify(one):
    dataset = dataset_of(one.data, **one.settings)
    report = trivium.verify(one.model, dataset, backends=["numpy", catalog.selected().name], steps=1)
    assert report.passed, report.to_json()


def port(one):
    try:
        targets.hosts(targets.find("onnx"))
    except PortError as error:
        pytest.skip(str(error))
    assert trivium.port(one.run, "onnx", one.folder / "onnx").passed


def search(one):
    found = trivium.search(one.model, {"units": [2, 3]}, one.data, epochs=1, folds=2, **one.settings)
    assert found.best.params["units"] in (2, 3)


RUN = {function.__name__: function for function in (data, train, resume, evaluate, predict, verify, port, search)}
SLOW = ("verify", "port", "search")
# One source of each way through the code runs in the daily tests.
SLICE = ("rows", "several", "pixels", "forecast", "stream")
FIRST = {source.builder: source for source in reversed(SOURCES)}


def cells():
    """Return each source with each command; the daily slice is not slow."""
    pairs = []
    for source in SOURCES:
        is_daily = source.builder in SLICE and source is FIRST[source.builder]
        for command in COMMANDS:
            marks = [pytest.mark.slow] if command in SLOW or not is_daily else []
            marks += [pytest.mark.several_backends] if command == "verify" else []
            pairs.append(pytest.param(source, command, id=f"{command} of {source.title}", marks=marks))
    return pairs


@pytest.mark.shared_out
@pytest.mark.parametrize(("source", "command"), cells())
def test_a_command_takes_a_source_or_refuses_it_in_one_line(trained, source, command):
    one = trained(source)
    assert one.run  # so that nothing else can be what is refused
    if command not in source.refused:
        RUN[command](one)
        return
    with pytest.raises(TriviumError, match=source.refused[command]) as error:
        RUN[command](one)
    assert "\n" not in str(error.value)


@pytest.mark.plain
def test_the_document_has_the_table_of_what_was_run():
    assert data_sources.table() in DOCUMENT.read_text("utf-8")
