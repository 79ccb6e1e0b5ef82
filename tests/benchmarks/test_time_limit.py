"""A benchmark with a limit ends in time, and says what it left out."""

import pytest

from trivium.backends import runtime
from trivium.benchmarks.results import LIMIT, GroupResult, Results
from trivium.benchmarks.suite import BenchmarkOptions, TimeLeft
from trivium.errors import BackendError


@pytest.mark.plain
def test_each_group_has_an_equal_share_of_what_the_others_left():
    now = [0.0]
    left = TimeLeft(90.0, lambda: now[0])
    with left.begin(3) as seconds:
        now[0] = 10.0
        assert seconds() == 20.0
    with left.begin(2) as seconds:
        assert seconds() == 40.0
        now[0] = 60.0
        assert seconds() == 0.0
    assert not left.for_another, "the slowest group took 50 of 90 seconds, and 30 are left"


@pytest.mark.plain
def test_without_a_limit_there_is_always_time_for_another_group():
    left = TimeLeft(BenchmarkOptions().limit)
    with left.begin(1) as seconds:
        assert seconds() == float("inf")
    assert left.for_another


@pytest.mark.one_environment
def test_groups_without_time_are_not_measured_and_left_to_a_resumed_run(backend, shared_worker, capsys):
    from trivium.benchmarks.suites import overhead
    from trivium.cli.benches.common import _print

    options = BenchmarkOptions(budget=0.1, precision=1.0, ceilings=False, limit=0.5)
    asked = {"runners": ("native",), "data": "waves:0:20", "options": options}
    results = overhead.measure(["rnn/lstm", "rnn/two-lstm"], [backend.name], **asked)
    assert [group.stopped_by for group in results.groups.values()] == ["precision", LIMIT]
    assert {row["recipe"] for row in results.rows} == {"rnn/lstm"}
    assert not results.groups[f"rnn/two-lstm on {backend.name}"].complete
    _print(results, lambda results: (), [])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"No time was left for rnn/two-lstm on {backend.name}; --resume measures them" in shown


@pytest.mark.one_environment
def test_a_benchmark_on_a_gpu_is_refused_in_one_line_where_there_is_none(backend, shared_worker):
    from trivium.benchmarks.suites import overhead

    if any(device.kind == "gpu" for device in runtime.current().devices()):
        pytest.skip("there is a GPU")
    with pytest.raises(BackendError, match=r"^no GPU is found here by .*: install the GPU build of one, or leave it"):
        overhead.measure(["rnn/lstm"], device="gpu")
    with pytest.raises(BackendError, match=r"finds no gpu here; it computes on the cpu$"):
        overhead.measure(["rnn/lstm"], [backend.name], device="gpu")


@pytest.mark.plain
def test_a_group_that_the_limit_left_out_is_not_complete():
    assert GroupResult(stopped_by="budget").complete
    assert not GroupResult(stopped_by=LIMIT).complete
    assert Results("overhead", groups={"a": GroupResult(stopped_by=LIMIT)}, interleaved=False).to_json()[
        "stopped_by"
    ] == {"a": LIMIT}
