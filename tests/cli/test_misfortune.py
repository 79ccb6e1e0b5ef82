"""Ordinary misfortune is one line and exit code 2: no home, closed folders, full disks, narrow locales, odd paths."""

import os
import subprocess
import sys

import pytest

from trivium.errors import OutputError
from trivium.storage.user_cache import user_cache

pytestmark = pytest.mark.one_environment

LONG = "a" * 300
# Root may read everything, unless it gives up these capabilities.
WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
WITHOUT_PRIVILEGES += ("--inh-caps", "-dac_override,-dac_read_search")


def one_line(outcome):
    return outcome.code == 2 and outcome.err.count("\n") == 1 and outcome.err.startswith("trivium: ")


@pytest.mark.parametrize("command", ["recipes", "recipes cnn/striding", "runs .", "backends", "--help", "train --help"])
def test_a_full_disk_behind_standard_output_is_told(command, here):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trivium", *command.split()], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, "trivium: cannot write: No space left on device\n")


@pytest.mark.parametrize(
    "locale", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}], ids=str
)
def test_a_locale_without_our_letters_is_enough(process, here, locale):
    (here / "t.csv").write_text("größe,label\n" + "1,ä\n2,ö\n" * 6, encoding="utf-8")
    for command in (("recipes",), ("data", "t.csv"), ("runs", ".")):
        assert process(*command, **locale).code == 0
    assert one_line(process("inspect", "größe.keras", **locale))


NAMES = (
    ("evaluate", LONG),
    ("predict", LONG, "x.npy"),
    ("port", LONG, "--to", "torch"),
    ("save", LONG, "x.keras"),
    ("verify", f"{LONG}.keras"),
    ("generate", LONG),
    ("train", "--from", LONG),
    ("train", f"{LONG}.json"),
    ("train", "rnn/lstm", "--out", LONG),
    ("train", "rnn/lstm", "--out", f"q/{LONG}"),
    ("train", "rnn/lstm", "--csv", f"{LONG}.csv"),
    ("train", "rnn/lstm", "--tensorboard", LONG),
    ("train", "rnn/lstm", "--data", f"{LONG}.csv"),
    ("train", "--resume", "--out", LONG),
    ("data", f"text:{LONG}"),
    ("data", "iris", "--preview", f"{LONG}.png"),
    ("runs", "compare", LONG),
    ("report", ".", "--out", f"{LONG}.html"),
    ("recipes", f"{LONG}.json"),
)


@pytest.mark.parametrize("arguments", NAMES, ids=lambda arguments: " ".join(arguments)[:40])
def test_a_name_of_300_bytes_is_refused(refused, arguments):
    refused(*arguments)


@pytest.fixture
def closed(here):
    """Folders that may not be looked into, or not be written into, and a command that has no privileges."""
    for name, mode in (("closed", 0o000), ("read-only", 0o555)):
        (here / name).mkdir()
        (here / name / "x.csv").write_text("a,label\n" + "1,a\n2,b\n" * 6)
        (here / name).chmod(mode)
    yield here
    for name in ("closed", "read-only"):
        (here / name).chmod(0o755)


def run_unprivileged(*arguments, **environment):
    prefix = WITHOUT_PRIVILEGES if os.geteuid() == 0 else ()
    command = [*prefix, sys.executable, "-m", "trivium", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


CLOSED = (
    ("inspect", "closed/x.csv"),
    ("data", "closed"),
    ("data", "closed/x.csv"),
    ("runs", "show", "closed/x"),
    ("predict", "closed", "closed/x.csv"),
    ("train", "rnn/lstm", "--epochs", "1", "--out", "closed/run"),
    ("train", "rnn/lstm", "--epochs", "1", "--out", "read-only/run"),
    ("train", "rnn/lstm", "--epochs", "1", "--csv", "read-only/new.csv"),
    ("data", "iris", "--preview", "closed/x.png"),
)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", CLOSED, ids=" ".join)
def test_a_closed_folder_is_told(closed, arguments):
    if os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"):
        pytest.skip("root may read everything, and there is no setpriv")
    done = run_unprivileged(*arguments)
    assert done.returncode == 2, done.stderr
    assert "ermission denied" in done.stderr or "not readable" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_closed_folder_or_home_keeps_nobody_from_the_rest(closed):
    if os.geteuid() == 0 and not os.path.exists("/usr/bin/setpriv"):
        pytest.skip("root may read everything, and there is no setpriv")
    assert run_unprivileged("runs", ".").returncode == 0
    assert run_unprivileged("data", "mnist", HOME=str(closed / "closed"), KERAS_HOME="").returncode == 0


def test_an_account_without_a_home_makes_no_folder_in_the_current_one(cli, here, monkeypatch):
    import pwd

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(OutputError, match="has no home folder: set XDG_CACHE_HOME"):
        user_cache()
    assert cli("data", "mnist").code == 0
    assert cli("train", "rnn/lstm", "--data", "waves:0:60", "--epochs", "1", "--out", "run").code == 0
    assert [path.name for path in here.iterdir()] == ["run"]


@pytest.mark.parametrize("option", ["--csv", "--tensorboard"])
@pytest.mark.parametrize("place", ["folder", "pipe", "file/x", "/dev/full", "/dev/zero", ""])
def test_a_log_that_cannot_be_a_file_or_folder_is_told_before_the_training(cli, here, option, place):
    (here / "folder").mkdir()
    (here / "file").touch()
    os.mkfifo(here / "pipe")
    shown = cli("train", "rnn/lstm", "--data", "waves:0:60", "--epochs", "1", option, place, "--out", "run")
    allowed = option == "--tensorboard" and place in ("folder", "")
    if not allowed:
        assert shown.code == 2
        assert f"choose another {option}" in shown.err or "Permission denied" in shown.err
        assert not (here / "run").exists()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, 0) for text in ("0", "no", "False", " off ", "", "1", "YES", "true", "on")),
        *((text, 2) for text in ("maybe", "2", "nope", "\x1b")),
    ],
)
def test_trust_is_given_by_clear_words_alone(cli, here, monkeypatch, text, code):
    from trivium.engine.bundles import trust
    from trivium.errors import OptionError

    monkeypatch.setenv("TRIVIUM_TRUST", text)
    (here / "m.json").write_text('{"class_name": "Sequential", "config": {"layers": []}}')
    shown = cli("inspect", "m.json")
    assert shown.code == code
    if code == 2:
        assert "TRIVIUM_TRUST is" in shown.err
        assert "expected 1, yes, true, on for trust, 0, no, false, off or nothing for none" in shown.err
        assert "\x1b" not in shown.err
        with pytest.raises(OptionError):
            trust.is_enabled()
    else:
        assert trust.is_enabled() == (text.strip().lower() in ("1", "yes", "true", "on"))
