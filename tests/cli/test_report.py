"""`trivium report`: the files, the output, and the refusals."""

import json
import subprocess
import sys

import pytest

from trivium.storage.atomic import write_json

pytestmark = pytest.mark.one_environment


def timed(backend, seconds):
    where = {"suite": "epochs", "recipe": "rnn/lstm", "backend": backend, "device": "cpu", "runner": "trivium"}
    figures = {"metric": "steady_epoch", "unit": "s", "n": 8, "median": seconds, "q1": seconds, "q3": seconds}
    return {**where, **figures}


COMPARED = {
    "suite": "epochs",
    "recipe": "rnn/lstm",
    "backend": "jax ÷ torch",
    "device": "cpu",
    "of": "jax",
    "over": "torch",
}
RESULTS = {
    "schema": 1,
    "suite": "epochs",
    "rounds": 8,
    "stopped_by": "budget",
    "rows": [timed("jax", 1.0), timed("torch", 2.0)],
    "ratios": [{**COMPARED, "metric": "steady_epoch", "ratio": 0.5, "low": 0.4, "high": 0.625}],
}
ANSWER = "rnn/lstm: jax is fastest, 1 s; torch takes 2.00 [1.60, 2.50] × as long."


@pytest.fixture
def results(here):
    write_json(here / "runs" / "results.json", RESULTS)
    return here / "runs"


def test_a_page_is_written_beside_the_results_and_the_answer_said(cli, results):
    shown = cli("report", "runs")
    assert shown.code == 0, shown
    assert shown.out == f"Which backend is fastest here?\n  {ANSWER}\nkept runs/report.html\n"
    assert ANSWER in (results / "report.html").read_text("utf-8")


def test_a_history_is_shown_by_its_own_option(cli, here):
    machine = {"processor": "P", "cores": 2}
    entry = {"schema": 1, "date": "2026-11-30", "machine": machine, "suite": "epochs", "asked": {}}
    (here / "history.jsonl").write_text(json.dumps({**entry, "commit": "1234567890", "rows": [timed("jax", 1.0)]}))
    shown = cli("report", "history.jsonl", "--history")
    assert shown.code == 0, shown
    assert "Has a time changed?" in shown.out
    assert "P, 2 cores: 1 run, 2026-11-30 (12345678) to 2026-11-30 (12345678)." in shown.out
    assert "12345678" in (here / "report.html").read_text("utf-8")
    assert cli("report", "nothing", "--history").code == 2


def test_text_in_results_steers_neither_the_terminal_nor_the_pages(cli, here):
    word = "rnn/\x1b[31mred\x07\u202e</script>"
    rows = [{**row, "recipe": word} for row in RESULTS["rows"]]
    ratios = [{**RESULTS["ratios"][0], "recipe": word}]
    results = {**RESULTS, "rows": rows, "ratios": ratios, "environment": {"jax": {word: word}}}
    write_json(here / "runs" / "results.json", results)
    shown = cli("report", "runs", "--markdown", "report.md")
    assert shown.code == 0, shown.err
    pages = [(here / "runs/report.html").read_text("utf-8"), (here / "report.md").read_text("utf-8")]
    for text in (shown.out, shown.err, *pages):
        assert not {"\x1b", "\x07", "\u202e"} & {*text}
    assert "rnn/\\x1b[31mred\\x07\\u202e" in shown.out
    assert "rnn/\\x1b[31mred\\x07\\u202e&lt;/script&gt;" in pages[0]


def test_markdown_with_pictures_and_everything_as_json(cli, here, results):
    shown = cli("report", "runs/results.json", "--out", "a/page.html", "--markdown", "a/b.md", "--png", "a/c", "--json")
    assert shown.code == 0, shown
    document = json.loads(shown.out)
    assert document["files"] == [
        "a/page.html",
        "a/b.md",
        "a/c/epochs-1-rnn-lstm-a-steady-epoch.png",
        "a/c/epochs-2-ratios.png",
    ]
    assert all((here / file).stat().st_size for file in document["files"])
    assert [(suite["suite"], suite["answer"]) for suite in document["suites"]] == [("epochs", [ANSWER])]
    assert "(<c/epochs-2-ratios.png>)" in (here / "a" / "b.md").read_text("utf-8")
    assert not (results / "report.html").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "runs/results.json is not JSON, or was truncated"),
        ('{"rows": []}', "runs/results.json is no result of `trivium bench`"),
        (json.dumps({**RESULTS, "schema": 2}), "runs/results.json has schema '2', this trivium reads 1"),
        (json.dumps({**RESULTS, "rows": [1]}), "runs/results.json is damaged"),
    ],
)
def test_a_file_that_is_no_result_is_refused_in_one_line(refused, results, text, message):
    (results / "results.json").write_text(text)
    assert message in refused("report", "runs")


def test_a_place_with_nothing_or_that_cannot_be_written_to_is_refused(refused, here, results):
    assert "there is no nowhere: give the --out of a `trivium bench`" in refused("report", "nowhere")
    (here / "file").write_text("something else")
    assert "file is a file: choose another --out" in refused("report", "runs", "--out", "file/page.html")


def test_without_its_libraries_a_line_says_what_to_install(refused, results, monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    line = refused("report", "runs", with_progress=True)
    assert line.endswith("a page needs altair, which is not installed: pip install 'trivium[report]'")


def test_no_framework_is_imported(results):
    source = (
        "import sys\nfrom trivium.cli.main import main\n"
        f"try: main(['report', {str(results)!r}])\n"
        "except SystemExit as stopped: assert stopped.code == 0\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", source], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done
