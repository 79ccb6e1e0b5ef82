"""Progress on standard error: bars on a terminal, few plain lines in a log."""

import pytest

from trivium.cli import progress as module
from trivium.cli.progress import progress

pytestmark = pytest.mark.plain


def training(epoch, step, **logs):
    return {"kind": "train", "epoch": epoch, "epochs": 2, "step": step, "steps": 10, "logs": logs}


def stage(text, done=0, total=None, **more):
    return {"kind": "stage", "stage": text, "done": done, "total": total, **more}


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(module.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_log_gets_the_end_of_each_title_and_nothing_after_it(capfd):
    with progress("mine") as tell:
        tell(training(1, 5))
        tell(training(2, 10, loss=0.5, val_loss=0.25))
        tell(stage("saving"))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "mine: 100% epoch 2/2  val_loss 0.25 (0 s)\n")


def test_a_log_gets_a_line_each_five_seconds(capfd, clock):
    with progress("mine") as tell:
        for second in range(12):
            clock.now = 100.0 + second
            tell(training(1, second % 10, loss=1.0))
    assert capfd.readouterr().err.splitlines() == [
        "mine:  25% epoch 1/2  loss 1 (5 s)",
        "mine:   0% epoch 1/2  loss 1 (10 s)",
    ]


def test_each_title_is_told_by_itself_and_timed_by_itself(capfd, clock):
    with progress("all") as tell:
        tell(stage("one", 1, 2, title="first"))
        clock.now += 2
        tell(stage("two", 2, 2, title="first"))
        tell(stage("begun", 0, 1, title="second"))
        clock.now += 1
        tell(stage("done", 1, 1, title="second"))
    assert capfd.readouterr().err.splitlines() == ["first: 100% two (2 s)", "second: 100% done (1 s)"]


def test_a_stage_of_unknown_length_has_no_share(capfd, clock):
    with progress("port") as tell:
        clock.now += 6
        tell({"kind": "port", "stage": "comparing"})
    assert capfd.readouterr().err == "port: comparing (0 s)\n"


def test_training_metrics_are_shown_where_there_is_no_validation(capfd):
    with progress("mine") as tell:
        tell(training(2, 10, loss=0.123456, accuracy=1.0))
    assert "epoch 2/2  loss 0.1235  accuracy 1 " in capfd.readouterr().err


def test_a_terminal_gets_a_bar_for_each_title(capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("demo [jax]") as tell:
        tell(stage("compiling", 1, 2, title="first [jax]"))
        tell(training(2, 10, loss=0.5) | {"title": "second"})
    out, err = capfd.readouterr()
    last = err.rpartition("first [jax]")[2]
    assert out == ""
    assert "compiling" in last
    assert "epoch 2/2  loss 0.5" in last
    assert "demo [jax]" not in last, "the bar that said that something starts has gone"


def test_a_warning_is_a_line_at_once(capfd):
    with progress("mine") as tell:
        tell({"kind": "warning", "text": "The training part has no sample of b."})
    assert capfd.readouterr().err == "warning: The training part has no sample of b.\n"
