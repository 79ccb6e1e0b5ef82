"""A run folder from a stranger is read, but decides nothing outside of itself, and its text steers no terminal."""

import json
import shutil

import pytest

pytestmark = pytest.mark.one_environment


@pytest.fixture(scope="module")
def trained(tmp_path_factory, backend):
    import trivium

    folder = tmp_path_factory.mktemp("stranger") / "run"
    trivium.train("rnn/lstm", out=folder, epochs=1, batch_size=100)
    return folder


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    change(tmp_path / "run", asked={"recipe": "rnn/lstm", "epochs": 1, "batch_size": 100})
    return tmp_path / "run"


def change(run, **fields):
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **fields}))


@pytest.mark.parametrize("option", ["csv", "tensorboard"])
@pytest.mark.parametrize("place", ["p.txt", "run/../p.txt", "new/p.txt", "run/link.csv"])
def test_a_record_does_not_decide_what_is_overwritten(run, cli, option, place):
    (run.parent / "p.txt").write_text("precious")
    (run / "link.csv").symlink_to(run.parent / "p.txt")
    change(run, state="interrupted", asked={option: str(run.parent / place), "recipe": "rnn/lstm"})
    shown = cli("train", "--resume", "--out", str(run))
    assert shown.code == 2
    assert f"name --{option} again" in shown.err
    assert (run.parent / "p.txt").read_text() == "precious"


@pytest.mark.parametrize("kind", ["history.jsonl", "new.txt", "logs/train", "checkpoints/below", "logs", ".lock"])
def test_no_link_leads_out_of_a_run_that_is_resumed(run, cli, tmp_path, kind):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "p.txt").write_text("precious")
    (run / kind).unlink(missing_ok=True)
    (run / kind).parent.mkdir(exist_ok=True)
    (run / kind).symlink_to(tmp_path / "v" / ("p.txt" if "." in kind else ""))
    change(run, asked={"recipe": "rnn/lstm", "tensorboard": str(run / "logs")})
    shown = cli("train", "--resume", "--epochs", "2", "--out", str(run))
    assert shown.code == 2
    assert "again" in shown.err or "is a link to" in shown.err
    assert [(path.name, path.read_text()) for path in (tmp_path / "v").iterdir()] == [("p.txt", "precious")]


def test_no_link_leads_out_of_a_run_that_is_shown(run, cli, tmp_path):
    for name in ("history.jsonl", "run.json"):
        (run / name).rename(tmp_path / f"my-{name}")
        (run / name).symlink_to(tmp_path / f"my-{name}")
        for arguments in (("runs", "show", str(run)), ("inspect", str(run)), ("runs", "compare", str(run))):
            shown = cli(*arguments)
            assert shown.code == 2
            assert f"{run / name} is a link to {tmp_path}/my-{name}, outside of {run}" in shown.err
    assert "There is no run" in cli("runs", str(tmp_path)).out


SOURCES = (
    {"data": "p.npz"},
    {"data": "text:p.npz"},
    {"data": "p.csv:target=a"},
    {"data": "p.csv:test=p.npz"},
    {"data": "run/../p.npz"},
    {"data": "/dev/zero"},
    {"data": "~/.ssh"},
    {"start": "p.keras"},
    {"recipe": "p.json"},
    {"validation": "p.npz"},
)


@pytest.mark.parametrize("options", SOURCES, ids=str)
def test_a_record_from_elsewhere_does_not_decide_what_is_read(run, cli, monkeypatch, options):
    monkeypatch.chdir(run.parent)
    (run.parent / "p.npz").write_text("precious")
    change(run, asked={"recipe": "rnn/lstm", **options})
    shown = cli("train", "--resume", "--epochs", "2", "--out", "run")
    (name, value), *_ = options.items()
    assert shown.code == 2
    option = {"start": "--from", "recipe": "recipe"}.get(name, f"--{name}")
    assert f"is not your own and reads {value}: name" in shown.err
    assert option in shown.err.lower()


def test_a_record_from_elsewhere_does_not_decide_where_the_run_is_sent(run, cli):
    change(run, asked={"recipe": "rnn/lstm", "log": ["mlflow:uri=http://stranger.example"]})
    for arguments in (("--resume", "--out", run), ("--config", run / "run.json", "--out", "new")):
        shown = cli("train", *arguments, "--epochs", "2")
        assert shown.code == 2
        assert "is not your own and would be sent to mlflow:uri=http://stranger.example: name" in shown.err


def test_a_record_that_was_changed_is_no_longer_the_users_own(run, cli, tmp_path):
    from trivium.engine.runs import signature

    own = signature.signed({"asked": {"data": "mine.npz", "epochs": 3}})
    assert signature.is_own(json.loads(json.dumps(own)))
    assert not signature.is_own({**own, "asked": {"data": "yours.npz", "epochs": 3}})
    assert not signature.is_own({"asked": own["asked"]})
    for forged in (None, 5, "", "ä", [own["signature"]]):
        assert not signature.is_own({**own, "signature": forged})


def test_the_key_of_the_users_runs_is_theirs_alone(tmp_path, monkeypatch):
    from trivium.engine.runs import signature

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = signature.signed({"asked": {"data": "mine.npz"}})
    (key,) = (tmp_path / "trivium").iterdir()
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_bytes(b"short")
    assert not signature.is_own(own)
    assert signature.signed({"asked": {"data": "mine.npz"}}) == {"asked": {"data": "mine.npz"}}
    key.unlink()
    assert not signature.is_own(own)


def test_what_is_not_named_as_ours_is_not_swept(run, cli):
    """What a kill leaves of trivium's own files is swept, in the folder and in that of the checkpoints."""
    others = [".env.local", ".config.settings.json", ".npmrc.a1b2c3d4.old", "checkpoints/.zshrc.previous"]
    own = [".trivium-partial.run.a1b2_c3d.json", "checkpoints/.trivium-partial.epoch-00001.a1b2_c3d.safetensors"]
    for name in (*others, *own):
        (run / name).touch()
    assert cli("train", "--resume", "--epochs", "2", "--out", str(run)).code == 0
    assert [name for name in (*others, *own) if (run / name).exists()] == others


def test_a_file_that_is_no_log_is_not_overwritten_by_one(run, cli):
    (run.parent / "p.txt").write_text("precious")
    shown = cli(
        "train", "rnn/lstm", "--epochs", "1", "--csv", str(run.parent / "p.txt"), "--out", str(run.parent / "new")
    )
    assert (shown.code, (run.parent / "p.txt").read_text()) == (2, "precious")
    assert "is no log of a run" in shown.err


def test_a_link_to_another_folder_gets_and_loses_no_file(run, cli, tmp_path):
    names = {".env.local", ".zshrc.old", ".npmrc.previous"}
    (tmp_path / "v").mkdir()
    for name in names:
        (tmp_path / "v" / name).touch()
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").symlink_to(tmp_path / "v")
    shown = cli("train", "--resume", "--epochs", "2", "--out", str(run))
    assert shown.code == 2
    assert "is a link to" in shown.err
    assert {path.name for path in (tmp_path / "v").iterdir()} == names


@pytest.mark.parametrize("checksum", ["5", "null", "[]", '"ab"'])
def test_a_checksum_that_is_none_is_told(run, cli, checksum):
    (path,) = (run / "checkpoints").iterdir()
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header["__metadata__"]["sha256"] = json.loads(checksum)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    shown = cli("train", "--resume", "--epochs", "2", "--out", str(run))
    assert shown.code == 2


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_a_lock_that_is_no_file_is_told(run, cli, kind):
    (run / ".lock").unlink(missing_ok=True)
    if kind == "link":
        (run / ".lock").symlink_to(run / "run.json")
    else:
        (run / ".lock").mkdir()
    shown = cli("train", "--resume", "--epochs", "2", "--out", str(run))
    assert shown.code == 2
    assert "cannot lock" in shown.err


@pytest.mark.parametrize("value", [5, [1], {"a": []}, "\ud800", "\x1b]0;PWN\x07\x1b[31mred", None])
def test_every_record_can_be_listed_and_steers_no_terminal(run, cli, value):
    environment = {"backend": value}
    change(run, recipe=value, environment=environment, error=value, settings={"a\x1b[32m": value}, parameters=value)
    for arguments in (("runs",), ("runs", "show"), ("inspect",), ("runs", "compare", str(run))):
        shown = cli(*arguments, str(run))
        assert shown.code in (0, 2), shown.err
        assert "\x1b" not in shown.out + shown.err


@pytest.mark.parametrize("value", [5, [1], {"a": 1}, "word"])
@pytest.mark.parametrize("part", ["dataset", "environment", "resumed", "plan", "asked", "state", "process"])
def test_a_record_of_any_content_is_resumed_or_refused_in_a_line(run, cli, part, value):
    record = json.loads((run / "run.json").read_text())
    change(run, **({"settings": {**record["settings"], "plan": value}} if part == "plan" else {part: value}))
    shown = cli("train", "rnn/lstm", "--resume", "--epochs", "2", "--batch-size", "100", "--out", str(run))
    assert shown.code in (0, 2), shown.err
    assert "Traceback" not in shown.err


def test_a_record_of_a_later_schema_is_not_read_as_this_one(run, cli):
    change(run, schema=99)
    for arguments in (("runs", "show"), ("inspect",)):
        shown = cli(*arguments, str(run))
        assert shown.code == 2
        assert "has run schema 99, this trivium reads 1: update trivium" in shown.err
    listed = cli("runs", str(run.parent))
    assert listed.code == 0
    assert "note: left out: " in listed.err
    assert "has run schema 99" in listed.err
