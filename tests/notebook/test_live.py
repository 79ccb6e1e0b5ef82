"""The progress of a function: one output, updated at most once in a second, and only in a notebook."""

import sys
import types

import pytest

from trivium.notebook import live
from trivium.notebook.live import LiveDisplay, seconds_text, shows_progress

pytestmark = pytest.mark.plain


class Clock:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self):
        return self.now


def train_event(epoch, step=10, steps=10, epochs=4, **logs):
    return {"kind": "train", "epoch": epoch, "epochs": epochs, "step": step, "steps": steps, "logs": logs}


@pytest.fixture
def outputs():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def display(outputs, clock):
    return LiveDisplay("train x", outputs.append, clock)


def test_it_is_updated_at_most_once_in_a_second(display, outputs, clock):
    with display:
        assert len(outputs) == 1
        for tenth in range(1, 41):
            clock.now = tenth / 10
            display(train_event(tenth, epochs=40, loss=1 / tenth))
        assert len(outputs) == 5
    assert len(outputs) == 6, "the end is always shown"
    assert "epoch 40/40" in outputs[-1]["text/html"]
    assert outputs[-1]["text/plain"] == "train x: epoch 40/40  loss 0.025"


def test_where_an_update_takes_long_there_are_fewer(outputs, clock):
    def publish(texts):
        outputs.append(texts)
        clock.now += 0.02

    display = LiveDisplay("train x", publish, clock)
    for second in range(1, 21):
        clock.now = float(second)
        display(train_event(second, epochs=20, loss=1.0))
    assert len(outputs) == 4, "each takes 0.02 s, so that 4 s lie between them"


def test_the_axis_reaches_to_the_last_epoch_from_the_beginning(display, outputs):
    with display:
        display(train_event(1, loss=1.0))
        display(train_event(2, step=5, loss=1.0))  # within the second epoch, of which no loss is known
    assert 'aria-label="loss, epochs 1 to 4"' in outputs[-1]["text/html"]
    assert outputs[-1]["text/html"].count("<polyline") == 1
    assert '<div style="width: 37.5%">' in outputs[-1]["text/html"]


def test_the_time_left_follows_from_the_share_that_is_done(display, outputs, clock):
    with display:
        display(train_event(1, step=0))
        clock.now = 30.0
        display(train_event(1))
        assert "about 1:30 min left" in outputs[-1]["text/html"]
    assert "min left" not in outputs[-1]["text/html"]


def test_each_title_has_a_bar(display, outputs):
    with display:
        for title in ("JAX", "PyTorch", "JAX"):
            display({"kind": "verify", "title": title, "stage": "gradients", "done": 1, "total": 2})
        display({"kind": "stage", "stage": "timing plans"})
    html = outputs[-1]["text/html"]
    assert html.count('role="progressbar"') == 2
    assert '<strong>PyTorch</strong><span class="quiet"> · gradients</span>' in html
    assert html.count("width: 100.0%") == 2, "the work is done, even where the last event was its beginning"
    assert "timing plans" in html


def test_warnings_stand_below_as_text(display, outputs):
    with display:
        display({"kind": "warning", "text": "<b>two</b> classes \x1b[31m"})
    assert "warning: &lt;b&gt;two&lt;/b&gt; classes \\x1b[31m" in outputs[-1]["text/html"]


def test_an_error_ends_the_output(display, outputs):
    display(train_event(1, loss=1.0))
    with pytest.raises(KeyboardInterrupt), display:
        raise KeyboardInterrupt
    assert "ended by KeyboardInterrupt" in outputs[-1]["text/html"]


def test_a_function_that_refuses_at_once_leaves_nothing_behind(display, outputs):
    with pytest.raises(ValueError, match="no"), display:
        raise ValueError("no")
    assert outputs[-1] == {"text/html": "", "text/plain": ""}


@shows_progress
def work(subject="", *, listener=None):
    """Work."""
    if listener:
        listener({"kind": "stage", "stage": "at work"})
    return listener


def pretend(monkeypatch, shell):
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", module)


def test_outside_of_a_notebook_nothing_is_shown(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert work() is None
    pretend(monkeypatch, types.SimpleNamespace())  # IPython in a terminal has no kernel
    assert work() is None


def test_in_a_notebook_a_function_shows_what_it_works_on(monkeypatch, outputs):
    pretend(monkeypatch, types.SimpleNamespace(kernel=None))
    monkeypatch.setattr(live, "notebook_output", lambda: outputs.append)
    assert isinstance(work("<x>"), LiveDisplay)
    assert "<strong>work &lt;x&gt;</strong>" in outputs[0]["text/html"]
    assert outputs[-1]["text/plain"] == "work <x>: at work"


def test_a_listener_of_the_callers_own_takes_its_place(monkeypatch, outputs):
    pretend(monkeypatch, types.SimpleNamespace(kernel=None))
    monkeypatch.setattr(live, "notebook_output", lambda: outputs.append)
    assert work(listener=print) is print
    assert outputs == []


def test_it_keeps_its_name_and_what_it_says():
    assert (work.__name__, work.__doc__) == ("work", "Work.")


@pytest.mark.parametrize(("seconds", "text"), [(3.21, "3.2 s"), (61, "1:01 min"), (3723, "1:02:03 h")])
def test_durations_are_read_at_a_glance(seconds, text):
    assert seconds_text(seconds) == text
