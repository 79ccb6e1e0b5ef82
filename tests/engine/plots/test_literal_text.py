"""Text from data is drawn as it is: dollars are no formulas, and control characters are written out."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from trivium.engine.plots import plots
from trivium.engine.runs.history import History

pytestmark = pytest.mark.plain

BAD = ("$\\bad$", "$1%-$5%", "\\frac{$", "\x1b[31m\u202e$$")
NUMBERS = np.arange(8) % 4
PLOTS = {
    "confusion": lambda path: plots.confusion(NUMBERS, NUMBERS[::-1], BAD, path, title=BAD[0]),
    "curves": lambda path: plots.curves(History([{"loss": 1.0, BAD[3]: 0.5}] * 2), path, title=BAD[0]),
    "mistakes": lambda path: plots.mistakes(
        lambda rows: np.zeros((len(rows), 8, 8)), NUMBERS, NUMBERS[::-1], np.ones(8), BAD, path, title=BAD[0]
    ),
    "images": lambda path: plots.image_grid(np.zeros((4, 8, 8)), list(BAD), path, title=BAD[0]),
    "scatter": lambda path: plots.scatter(np.ones((8, 2)), NUMBERS, BAD, path, title=BAD[0]),
    "overlaid": lambda path: plots.overlaid([(name, History([{"loss": 1.0}])) for name in BAD], path),
}


@pytest.mark.parametrize("name", PLOTS)
def test_names_and_titles_are_drawn_literally(tmp_path, monkeypatch, name):
    figures, save = [], Figure.savefig

    def savefig(figure, *arguments, **settings):
        save(figure, *arguments, **settings)
        figures.append(figure)

    monkeypatch.setattr(Figure, "savefig", savefig)
    PLOTS[name](tmp_path / "p.png")
    (figure,) = figures
    texts = figure.findobj(Text)
    assert any(BAD[0] in text.get_text() for text in texts)
    assert not [text for text in texts if text.get_text() and text.get_parse_math()]
    assert not [text for text in texts if not text.get_text().replace("\n", "").isprintable()]
    assert any(r"\x1b[31m\u202e$$" in text.get_text() for text in texts)
