"""The report: its statements about results, the files it refuses, and that nothing from a file is run. No framework."""

import json
import re
import sys

import pytest

from trivium.benchmarks.report import answers, charts, markdown, page, pictures, results_reader, tables
from trivium.benchmarks.report.figures import duration, interval, three, times
from trivium.engine.plots import page_libraries
from trivium.errors import DataError, OptionError, TriviumError
from trivium.storage.atomic import write_json

pytestmark = pytest.mark.plain

HOSTILE = "</script><img src=x onerror=alert(1)>|[a](b)`"
NOTHING = {"schema": 1, "rows": [], "ratios": []}


def part_of(raw, suite=None):
    return results_reader.ReportPart(suite or raw["suite"], None, raw)


@pytest.fixture
def parts(results_folder):
    return {part.suite: part for part in results_reader.read(results_folder)}


def written(parts, title="A test"):
    return page.write(parts, [charts.draw(part) for part in parts], title)


def ratio_of(of, over, low, ratio, high, **at):
    where = {"recipe": "rnn/lstm", "backend": f"{of} ÷ {over}", "metric": "steady_epoch"}
    return {**where, "of": of, "over": over, "low": low, "ratio": ratio, "high": high, **at}


def timed(backend, seconds, **at):
    where = {"suite": "epochs", "recipe": "rnn/lstm", "backend": backend, "device": "cpu", "runner": "trivium"}
    return {
        **where,
        "metric": "steady_epoch",
        "unit": "s",
        "n": 8,
        "median": seconds,
        "q1": seconds,
        "q3": seconds,
        **at,
    }


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_folder_of_suites_is_read_and_so_are_one_suite_and_one_file(results_folder, suite_results):
    assert {part.suite: part.raw for part in results_reader.read(results_folder)} == suite_results
    (one,) = results_reader.read(results_folder / "epochs")
    (same,) = results_reader.read(results_folder / "epochs" / "results.json")
    assert one == same


def test_results_of_other_commands_beside_suites_are_ignored(tmp_path, suite_results):
    write_json(tmp_path / "a-search" / "results.json", {"schema": 1, "recipe": "dense/small", "rows": []})
    with pytest.raises(DataError, match=r"holds no results\.json of `trivium bench`"):
        results_reader.read(tmp_path)
    write_json(tmp_path / "epochs" / "results.json", suite_results["epochs"])
    assert [part.suite for part in results_reader.read(tmp_path)] == ["epochs"]


ROW = timed("jax", 1.0)
RATIO = ratio_of("jax", "torch", 1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON, or was truncated"),
        ("", "not JSON, or was truncated"),
        ("[]", "is no result of `trivium bench`"),
        ('{"rows": []}', "is no result of `trivium bench`"),
        ('{"schema": 99, "rows": [], "ratios": []}', "has schema '99', this trivium reads 1"),
        ('{"schema": 1, "rows": [], "ratios": [], "load": {"average": NaN}}', "NaN is not a JSON number"),
        ("[" * 200 + "]" * 200, "nested deeper"),
        (json.dumps({**NOTHING, "rows": {}}), "is damaged"),
        (json.dumps({**NOTHING, "rows": [1]}), "is damaged"),
        (json.dumps({**NOTHING, "rows": [{**ROW, "median": "1"}]}), "is damaged"),
        (json.dumps({**NOTHING, "rows": [{**ROW, "median": True}]}), "is damaged"),
        (json.dumps({**NOTHING, "rows": [{**ROW, "n": 10**400}]}), "is damaged|not JSON"),
        (json.dumps({**NOTHING, "rows": [{**ROW, "way": ["pooling"]}]}), "is damaged"),
        (json.dumps({**NOTHING, "rows": [{name: ROW[name] for name in ROW if name != "unit"}]}), "is damaged"),
        (json.dumps({**NOTHING, "ratios": [{**RATIO, "low": 0}]}), "is damaged"),
        (json.dumps({**NOTHING, "ratios": [{**RATIO, "filters": [8]}]}), "is damaged"),
        (json.dumps({**NOTHING, "ratios": [{**RATIO, "high": 1.5}]}), "is damaged"),
        (json.dumps({**NOTHING, "machine": {"cpu": {"numpy": {"gemm_gflops": 0, "copy_gbytes": 1}}}}), "is damaged"),
        (json.dumps({**NOTHING, "environment": {"jax": 1}}), "is damaged"),
        (json.dumps({**NOTHING, "failed": [{"cell": 1, "why": "killed"}]}), "is damaged"),
        (json.dumps({**NOTHING, "load": []}), "is damaged"),
    ],
)
def test_a_damaged_or_foreign_file_is_an_error_of_one_line(tmp_path, text, said):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(TriviumError, match=said) as refused:
        results_reader.read(tmp_path)
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_folder_is_an_error_of_one_line(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*nowhere: give the --out of a `trivium bench`"):
        results_reader.read(tmp_path / "nowhere")


# --- what it says ---------------------------------------------------------------------------------------------------


def test_every_suite_of_the_command_line_has_a_question(parts):
    from trivium.cli import bench

    assert set(answers.QUESTIONS) == set(bench.command.commands) == set(parts)
    assert answers.question(part_of(NOTHING, "new")) == "What did new measure?"


def test_the_fastest_is_named_with_how_much_slower_the_others_are_and_which_are_as_fast():
    rows = [timed("torch", 3.0), timed("jax", 1.0), timed("tensorflow", 1.02)]
    ratios = [
        ratio_of("jax", "tensorflow", 0.96, 0.98, 1.03),
        ratio_of("jax", "torch", 0.25, 0.33, 0.5),
        ratio_of("torch", "tensorflow", 2.5, 2.9, 3.1),
    ]
    (sentence,) = answers.answer(part_of({"suite": "epochs", "rows": rows, "ratios": ratios}))
    assert sentence == (
        "rnn/lstm: jax is among the fastest, 1 s; no difference to tensorflow (1.02 [0.97, 1.04]); "
        "torch takes 3.03 [2.00, 4.00] × as long."
    )


def test_a_ratio_at_another_sweep_point_is_not_used():
    rows = [timed(name, 1.0 + at, batch_size=size) for size in (1, 256) for at, name in enumerate(("jax", "torch"))]
    rows = [{**row, "metric": "answer"} for row in rows]
    ratios = [ratio_of("jax", "torch", 0.4, 0.5, 0.6, batch_size=1)]
    first, second = answers.answer(part_of({"suite": "inference", "rows": rows, "ratios": ratios}))
    assert first == "rnn/lstm, batch size 1: jax is fastest, 1 s; torch takes 2.00 [1.67, 2.50] × as long."
    assert second == "rnn/lstm, batch size 256: jax is fastest, 1 s; torch took 2 s, in other rounds."


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.9, 1.1, "rnn/lstm on jax: no difference between fit and trivium (1.00 [0.90, 1.10])."),
        (1.0, 1.1, "rnn/lstm on jax: no difference between fit and trivium (1.00 [1.00, 1.10])."),
        (1.001, 1.1, "rnn/lstm on jax: fit takes 1.00 [1.00, 1.10] × as long as trivium."),
        (0.9, 0.999, "rnn/lstm on jax: fit takes 1.00 [0.90, 1.00] × as long as trivium."),
    ],
)
def test_an_interval_that_holds_one_is_no_difference(low, high, said):
    ratio = {**ratio_of("fit", "trivium", low, 1.0, high), "backend": "jax"}
    assert answers.answer(part_of({"suite": "overhead", "rows": [], "ratios": [ratio]})) == [said]


def test_the_answer_on_pooling_has_its_ratio_and_its_parts(parts):
    sentences = answers.answer(parts["pooling-vs-striding"])
    assert re.fullmatch(r"On jax cnn/pooling takes 3\.0\d \[.*\] × as long as cnn/striding\.", sentences[0])
    assert "147 s ÷ 36 s = 4.1 and 339 s ÷ 186 s = 1.8" in " ".join(sentences)
    (jax, *_) = (each for each in sentences if each.startswith("What pooling costs"))
    assert jax.startswith("What pooling costs on jax is made of: the larger convolution 4")
    shares = [int(each) for each in re.findall(r"(\d+)%", jax)]
    assert sum(shares) == pytest.approx(100, abs=2)
    assert shares == sorted(shares, reverse=True)


def test_the_answers_of_the_other_suites(parts):
    assert "batches of 2048 are fastest" in answers.answer(parts["batch-size"])[0]
    assert "batch 8 takes 19" in answers.answer(parts["batch-size"])[0]
    assert "time goes with the steps to the power 1.00" in answers.answer(parts["data-size"])[0]
    assert answers.answer(parts["import"])[0].startswith("cnn/striding: jax is fastest, 5 s; tensorflow takes 1.48")
    assert answers.answer(parts["inference"])[0].startswith(
        "cnn/striding, batch size 1: onnxruntime is fastest, 298 µs; jax takes 6.71"
    )
    assert answers.answer(parts["search"])[0].endswith("on jax: wrapper takes 4.50 [4.50, 4.50] × as long as trivium.")
    assert answers.answer(part_of(NOTHING, "new")) == ["Nothing was compared: the figures below stand for themselves."]


def test_the_remarks_name_rounds_load_failures_and_gaps():
    raw = {**NOTHING, "rounds": 8, "stopped_by": "budget", "failed": [{"cell": "rnn/lstm on jax", "why": "killed"}]}
    raw["load"] = {"average": 3.5, "cores": 2, "busy": True}
    raw["without"] = {"cnn/striding by openvino": "none can export it"}
    text = "\n".join(answers.remarks(part_of(raw, "epochs")))
    assert "8 interleaved rounds, stopped by budget." in text
    assert "busy before this began (load 3.5 on 2 cores)" in text
    assert "FAILED rnn/lstm on jax: killed" in text
    assert "Not measured: cnn/striding by openvino: none can export it" in text
    raw["rounds"], raw["stopped_by"] = {"a": 8, "b": 12}, {"a": "budget", "b": "precision"}
    text = "\n".join(answers.remarks(part_of(raw, "epochs")))
    assert "8 to 12 interleaved rounds; groups stopped: 1 by budget, 1 by precision." in text


def test_intervals_of_few_rounds_are_marked_as_below_95_percent(parts):
    for suite, said in (
        ("epochs", "with their 95 % intervals"),
        ("masks", "with their 95 % intervals"),
        ("search", "with intervals of few rounds, below 95 %"),
    ):
        assert said in "\n".join(answers.remarks(parts[suite]))


def test_numbers_have_three_digits_and_a_suitable_unit():
    assert [three(value) for value in (0, 0.5, 1234.5, 1e-5, 2e12)] == ["0", "0.5", "1,234", "1.0e-05", "2.00e+12"]
    assert [duration(value) for value in (2.5, 0.036, 3e-4)] == ["2.5 s", "36 ms", "300 µs"]
    assert [times(value) for value in (0.05, 0.5, 9.999, 20)] == ["0.05", "0.50", "10.00", "20.0"]
    assert interval({"ratio": 2.991, "low": 2.8, "high": 13.14}) == "2.99 [2.80, 13.1]"


# --- charts and tables ----------------------------------------------------------------------------------------------


def values_of(chart):
    """All data of a chart."""
    return [row for each in chart.spec.get("datasets", {}).values() for row in each] + [
        row for layer in (chart.spec, *chart.spec.get("layer", [])) for row in layer.get("data", {}).get("values", [])
    ]


@pytest.mark.parametrize(
    ("suite", "titles"),
    [
        ("epochs", ["dense/one-hidden: a steady epoch", "rnn/lstm: a steady epoch", "Ratios", "Roofline of the cpu"]),
        ("batch-size", ["Time against batch size", "Accuracy on held-out data against batch size"]),
        ("data-size", ["Time against steps of the wave", "Error against steps of the wave"]),
        ("import", ["Until the first answer", "Ratios"]),
        ("inference", ["cnn/striding: an answer for 1 sample", "cnn/striding: an answer for 256 samples", "Ratios"]),
        ("overhead", ["cnn/pooling: steady epoch", "Ratios"]),
        ("checkpoint", ["cnn/striding", "Ratios"]),
        ("book", ["Steady epochs of the recipes"]),
        (
            "pooling-vs-striding",
            [
                "A steady epoch",
                "What pooling costs is made of",
                "Where the time goes on torch",
                "Pooling ÷ striding over filters, image size 28",
                "Pooling ÷ striding over image size, filters 16",
                "Ratios",
                "Roofline of the cpu",
            ],
        ),
    ],
)
def test_the_charts_of_each_suite(parts, suite, titles):
    drawings = {each.title: each for each in charts.draw(parts[suite])}
    assert set(titles) <= drawings.keys()
    assert all(values_of(each) for each in drawings.values())


def test_a_bar_is_the_median_with_its_quartiles(parts):
    chart = next(each for each in charts.draw(parts["epochs"]) if each.title.startswith("rnn/lstm"))
    rows = [row for row in parts["epochs"].of("steady_epoch") if row["recipe"] == "rnn/lstm"]
    shown = {value["name"]: (value["median"], value["q1"], value["q3"]) for value in values_of(chart)}
    assert shown == {row["backend"]: (row["median"], row["q1"], row["q3"]) for row in rows}


def test_the_roof_is_the_minimum_of_bandwidth_and_peak(parts):
    chart = next(each for each in charts.draw(parts["epochs"]) if each.title.startswith("Roofline"))
    roof = sorted((v["intensity"], v["median"]) for v in values_of(chart) if "series" not in v)
    reached = [(v["intensity"], v["median"]) for v in values_of(chart) if "series" in v]
    assert roof[1] == (pytest.approx(80 / 9), 80)  # the highest of those that measured: 80 GFLOP/s, 9 GB/s
    assert roof[0][1] == pytest.approx(9 * roof[0][0])
    assert roof[2][1] == 80
    assert len(reached) == 6
    assert all(pytest.approx(intensity) == 10 for intensity, _ in reached)


def test_empty_results_have_no_charts():
    assert charts.draw(part_of(NOTHING, "epochs")) == []
    for suite in answers.QUESTIONS:
        assert charts.draw(part_of(NOTHING, suite)) == []


def test_tables_have_the_figures_and_their_sort_keys(parts):
    medians, ratios = tables.tables(parts["overhead"])
    assert list(medians.columns[:3]) == ["backend", "runner", "steady epoch (s)"]
    (fit,) = (row for row in medians.rows if [cell.text for cell in row[:2]] == ["jax", "fit"])
    assert fit[2].key == parts["overhead"].rows[0]["median"]
    assert ratios.rows[0][-1].text == "a difference"
    assert ratios.rows[2][-1].text == "no difference"
    assert len(tables.everything(parts["overhead"]).rows) == len(parts["overhead"].rows)
    environment = {row[0].text: row[1].text for row in tables.environment(parts["epochs"]).rows}
    assert environment["device name"] == "A Processor"
    assert environment["affinity"] == "0, 1"
    assert environment["cpu, gemm gflops by numpy"] == "80"


def test_a_sweep_over_values_other_than_counts_is_left_out():
    ratios = [
        ratio_of("pooling", "striding", 1.0, 2.0, 3.0, filters=filters, image_size=28) for filters in ("8", 16, -1)
    ]
    drawings = charts.draw(part_of({"suite": "pooling-vs-striding", "rows": [], "ratios": ratios}))
    assert [each.title for each in drawings] == ["Ratios"]


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_page_has_no_network_addresses(parts):
    text = written(list(parts.values()))
    assert set(re.findall(r"(?:https?|ftp|wss?)://([\w.-]+)", text)) <= {"www.w3.org"}
    assert not re.findall(r"<(?:link|iframe|object|embed|base)\b|<script[^>]*\bsrc=|@import|url\(\s*['\"]?//", text)
    for part in parts.values():
        assert answers.question(part).replace("'", "&#39;") in text
    assert text.count('class="spec"') == sum(len(charts.draw(part)) for part in parts.values())


def test_addresses_are_removed_and_namespaces_kept():
    script = 'a("https://vega.github.io/editor/", `http://x.org/a?b#c`, "http://www.w3.org/2000/svg", "https:")'
    assert page.without_addresses(script) == 'a("", ``, "http://www.w3.org/2000/svg", "https:")'


def test_the_page_contains_the_unchanged_results(parts):
    text = written([parts["masks"]])
    (raw,) = re.findall(r'<script type="application/json" class="raw">(.*?)</script>', text, re.DOTALL)
    assert json.loads(json.loads(raw)) == parts["masks"].raw


def hostile(value):
    """The same results, every word of them an attack."""
    if isinstance(value, dict):
        return {name: hostile(value) for name, value in value.items()}
    if isinstance(value, list):
        return [hostile(value) for value in value]
    return value + HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("suite", ["epochs", "pooling-vs-striding", "book"])
def test_text_from_a_file_never_becomes_markup(suite_results, suite):
    raw = {**hostile(suite_results[suite]), "stopped_by": HOSTILE, "failed": [{"cell": HOSTILE, "why": HOSTILE}]}
    for row in raw["rows"]:
        row["metric"] = row["metric"].removesuffix(HOSTILE)  # else nothing is found to be drawn
        row[f"on{HOSTILE}"] = HOSTILE
    part = part_of(raw, suite)
    text = written([part], HOSTILE)
    assert "<img src=x" not in text
    assert text.count("<script") == text.count("</script") == len(charts.draw(part)) + 3


def test_markdown_syntax_is_escaped(suite_results, tmp_path):
    raw = hostile(suite_results["epochs"])
    part = part_of(raw, "epochs")
    text = markdown.write([part], HOSTILE, [{tmp_path / "charts" / "a.png": HOSTILE}], tmp_path / "report.md")
    assert not re.search(r"(?<!\\)<(?!charts/a\.png>)", text)
    assert "](<charts/a.png>)" in text
    assert "# " + r"\</script\>\<img src=x onerror=alert(1)\>\|\[a\](b)\`" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows[:5]}) == 1


def test_pictures_are_drawn_without_a_browser(parts, tmp_path):
    heard = []
    part = parts["overhead"]
    (files,) = pictures.save([part], [charts.draw(part)], tmp_path, heard.append)
    assert [path.name for path in files][:2] == ["overhead-1-cnn-pooling-steady-epoch.png", "overhead-2-ratios.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
    assert heard[-1]["done"] == heard[-1]["total"] == len(files)


def test_a_file_name_cannot_leave_its_folder():
    assert page.slug("../../etc/passwd") == "etc-passwd"
    assert page.slug("÷") == "results"


@pytest.mark.parametrize("library", ["altair", "vl_convert", "jinja2"])
def test_a_missing_library_is_an_error_with_the_install_command(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(OptionError, match=rf"a page needs {library}, .*: pip install 'trivium\[report\]'"):
        getattr(page_libraries, library)()
