"""A worker must return results bit for bit, or an error that names the backend, and must never outlive its caller.

The functions that it runs are in `functions_for_workers.py` and import no framework, so that it starts quickly.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from trivium import errors
from trivium.backends.workers import worker
from trivium.backends.workers.worker import Worker
from trivium.errors import BackendError, RecipeError, WorkerError

FUNCTIONS = Path(__file__).parents[2] / "helpers" / "functions_for_workers.py"
pytestmark = pytest.mark.usefixtures("deadline")


def named(function: str) -> str:
    return f"{FUNCTIONS}:{function}"


@pytest.fixture
def deadline():
    """A worker that hangs must fail one test, not the whole run."""

    def stop(*_):
        raise TimeoutError("the test took more than a minute")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def light(backend):
    """A worker that has imported no framework, for tests that leave it alive."""
    with Worker(backend.name) as process:
        yield process


@pytest.fixture
def mortal(backend):
    """A worker for one test, which may end it."""
    with Worker(backend.name) as process:
        yield process


def stop_responding(process):
    """Stop the worker's process, so that it no longer reads."""
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def wait_until(condition, seconds=10.0):
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:
        time.sleep(0.02)
    return condition()


# --- values ---------------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "float32": RANDOM.normal(size=(3, 4, 5)).astype("float32"),
    "float64 with NaN and infinity": np.array([np.nan, np.inf, -np.inf, -0.0, 5e-324]),
    "float16": RANDOM.normal(size=7).astype("float16"),
    "bool": np.array([[True, False], [False, True]]),
    "uint8": np.arange(256, dtype="uint8"),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "complex": np.array([1 + 2j, -3j]),
    "text": np.array(["a", "größer"]),
    "big-endian": np.arange(5, dtype=">i4"),
    "0-d": np.array(3.5),
    "empty": np.zeros((0, 3), "float32"),
    "empty at the end": np.zeros((3, 0)),
    "transposed": np.arange(12.0).reshape(3, 4).T,
    "every second": np.arange(20)[::2],
    "backwards": np.arange(20)[::-1],
    "read-only": np.broadcast_to(np.arange(3), (4, 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_bit_for_bit(light, name):
    array = ARRAYS[name]
    received = light.call(named("echo"), array)
    assert received.dtype == array.dtype
    assert received.shape == array.shape
    assert received.tobytes() == array.tobytes()


def test_fifty_megabytes_come_back(light):
    array = RANDOM.integers(0, 2**63, 50 * 2**20 // 8)
    np.testing.assert_array_equal(light.call(named("echo"), array), array)


def test_arrays_travel_nested_in_what_json_holds(light):
    sent = {"a": [1, {"b": np.arange(3)}, None], "c": "größer\n", "d": 1.5, "e": True, "f": (np.ones(2), []), "g": {}}
    received = light.call(named("echo"), sent)
    np.testing.assert_array_equal(received["a"][1].pop("b"), np.arange(3))
    np.testing.assert_array_equal(received["f"].pop(0), np.ones(2))
    assert received == {"a": [1, {}, None], "c": "größer\n", "d": 1.5, "e": True, "f": [[]], "g": {}}


@pytest.mark.parametrize(
    "value",
    [
        {"__array__": ["<f8", [3]]},
        {"__wrapped__": {"__array__": 1}},
        {"__array__": {"__wrapped__": {}}, "a": [{"__wrapped__": 2}]},
        {"error": {"kind": "DataError", "trivium_class": "DataError", "text": "x", "traceback": ""}},
        {"event": {"kind": "stage"}, "result": 5},
        {"function": "os:abort"},
    ],
    ids=str,
)
def test_a_value_that_looks_like_a_message_is_data(light, value):
    assert light.call(named("echo"), value) == value
    received = light.call(named("echo"), [value, np.arange(3)])
    assert received[0] == value
    np.testing.assert_array_equal(received[1], np.arange(3))


def test_numpy_scalars_arrive_as_numbers(light):
    received = light.call(named("echo"), [np.float32(0.1), np.int64(7), np.bool_(True)])
    assert received == [float(np.float32(0.1)), 7, True]
    assert [type(value) for value in received] == [float, int, bool]


def test_the_function_receives_arrays_that_it_may_change(light):
    described = light.call(named("describe"), np.arange(6, dtype="int16").reshape(2, 3))
    assert described == {"dtype": "<i2", "shape": [2, 3], "sum": 15, "writable": True}


def test_functions_are_called_by_dotted_name_with_keywords_too(light):
    assert light.call("trivium.functions:suggest", "strding", known=["striding"]) == "; did you mean 'striding'?"


def test_a_relative_path_means_the_same_there_as_here(light, tmp_path, monkeypatch):
    assert light.call("os:getcwd") == os.getcwd()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def read(path):\n    return open(path).read()\n")
    (tmp_path / "text").write_text("found")
    assert light.call("mine.py:read", "text") == "found"


def test_printing_in_a_worker_does_not_disturb_its_messages(light, capfd):
    assert light.call(named("print_everywhere"), '{"result": 1}\n' * 50) == "", "its standard input is empty"
    assert light.call(named("echo"), "next") == "next"
    assert capfd.readouterr() == ("", "")


def test_a_worker_runs_under_its_backend_and_imports_no_framework_by_itself(light, backend):
    assert light.call(named("environment"), "KERAS_BACKEND") == backend.name
    assert light.call(named("frameworks_loaded")) == []


# --- events ---------------------------------------------------------------------------------------------------------


def test_events_arrive_in_order_before_the_result(light):
    events = []
    assert light.call(named("report_each"), 50, listener=events.append) == 50
    assert [event["number"] for event in events] == list(range(50))
    assert [event["array"].tolist() for event in events] == [[number, number] for number in range(50)]


def test_nobody_needs_to_listen(light):
    assert light.call(named("report_each"), 3) == 3


def test_outside_a_worker_a_report_goes_nowhere():
    assert worker.report(number=1) is None


def test_a_listener_that_raises_ends_the_worker_so_that_no_stale_answer_is_left(mortal):
    def listener(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mortal.call(named("report_each"), 100, 0.05, listener=listener)
    assert not mortal.alive


def test_an_interrupt_while_arguments_are_sent_ends_the_worker_too(mortal):
    def interrupt(*_):
        raise KeyboardInterrupt

    mortal.call(named("echo"), 1)
    stop_responding(mortal)  # so that the pipe fills up in the middle of the message
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(KeyboardInterrupt):
        mortal.call(named("echo"), np.zeros(2**20))
    assert not mortal.alive


# --- errors ---------------------------------------------------------------------------------------------------------

KINDS = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_ours_arrives_as_the_same_class_with_the_same_text(light, kind):
    with pytest.raises(errors.TriviumError) as raised:
        light.call(named("fail"), kind, "what is wrong: do this, größer")
    assert type(raised.value) is getattr(errors, kind)
    assert str(raised.value) == "what is wrong: do this, größer"


def test_any_other_error_names_the_backend_and_brings_its_traceback(light, backend):
    with pytest.raises(WorkerError) as raised:
        light.call(named("fail"), "ValueError", "first line\nsecond line")
    assert str(raised.value) == f"{backend.title} worker: ValueError: first line"
    (note,) = raised.value.__notes__
    assert note.startswith("Traceback")
    assert "functions_for_workers.py" in note
    assert "second line" in note


def test_an_error_of_a_library_that_has_the_name_of_ours_is_not_ours(light):
    with pytest.raises(WorkerError, match="worker: DataError: of a library"):
        light.call(named("fail_as_a_library"))


def test_an_error_of_a_class_derived_from_ours_arrives_as_ours(light):
    with pytest.raises(errors.DataError, match=r"^p.png: no such file$"):
        light.call(named("fail_as_a_picture"))


@pytest.mark.parametrize("text", ["\n", " \n\n", "\n\nlater"])
def test_an_error_whose_first_line_is_empty_is_told(light, text):
    with pytest.raises(WorkerError, match=f"worker: ValueError: {text.strip() or 'ValueError'}\n"):
        light.call(named("fail"), "ValueError", text)


def test_an_error_without_a_text_shows_its_class(light):
    with pytest.raises(WorkerError, match="worker: ValueError: ValueError"):
        light.call(named("fail"), "ValueError", "")


@pytest.mark.parametrize("kind", ["object", "bytes", "objects"])
def test_a_result_that_cannot_travel_is_an_error_and_the_worker_lives_on(light, kind):
    with pytest.raises(WorkerError, match="TypeError"):
        light.call(named("unserialisable"), kind)
    assert light.call(named("echo"), kind) == kind


def test_an_event_that_cannot_travel_is_an_error_and_the_worker_lives_on(light):
    with pytest.raises(WorkerError, match="TypeError"):
        light.call(named("report_something_unserialisable"))
    assert light.call(named("echo"), 1) == 1


def test_an_argument_that_cannot_travel_is_refused_before_it_is_sent(light):
    with pytest.raises(TypeError):
        light.call(named("echo"), [np.zeros(3), object()])
    assert light.call(named("echo"), 1) == 1


def test_a_function_that_does_not_exist_is_an_error_with_the_nearest_name(light):
    with pytest.raises(RecipeError, match="has no function 'ecko'; did you mean 'echo'"):
        light.call(named("ecko"))
    with pytest.raises(RecipeError, match="no such file"):
        light.call("nosuch.py:echo")
    with pytest.raises(WorkerError, match=r"ModuleNotFoundError: No module named 'trivium\.nosuch'"):
        light.call("trivium.nosuch:echo")


def test_a_backend_that_does_not_exist_gets_no_worker():
    with pytest.raises(BackendError, match="unknown backend 'nosuch'"):
        Worker("nosuch")


# --- life and death -------------------------------------------------------------------------------------------------


def test_silence_beyond_the_time_out_ends_the_worker(mortal, backend):
    began = time.monotonic()
    with pytest.raises(WorkerError, match=rf"^{backend.title} worker gave no sign for 0\.5 s and was stopped"):
        mortal.call(named("sleep"), 60, timeout=0.5)
    assert time.monotonic() - began < 10
    assert not mortal.alive


def test_events_are_signs_of_life(light):
    light.call(named("echo"), 1)
    assert light.call(named("report_each"), 8, 0.2, timeout=1.0) == 8


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("abort", r"crashed \(signal 6\)"),
        ("exit", "ended with exit status 3"),
        ("sys.exit", "ended with exit status 4"),
        ("kill", r"was killed \(signal 9; on Linux often for want of memory\)"),
    ],
)
def test_a_worker_that_ends_is_an_error_with_the_backend_and_its_last_lines(mortal, backend, how, cause):
    with pytest.raises(WorkerError, match=rf"^{backend.title} worker {cause}; its last lines: .*line 9") as raised:
        mortal.call(named("end"), how)
    text = str(raised.value)
    assert "line 8 | line 9" in text
    assert "line 3" not in text
    assert "\n" not in text


def test_a_call_to_a_worker_that_is_gone_says_how_it_ended(mortal, backend):
    os.kill(mortal.pid, signal.SIGKILL)
    assert wait_until(lambda: not mortal.alive)
    with pytest.raises(WorkerError, match=rf"^{backend.title} worker was killed \(signal 9"):
        mortal.call(named("echo"), 1)


def test_a_dead_shared_worker_is_replaced_and_a_living_one_is_kept(backend):
    first = worker.get(backend.name, threads=2)
    assert first.call(named("echo"), 1) == 1
    assert worker.get(backend.name, threads=2) is first
    first.kill()
    second = worker.get(backend.name, threads=2)
    try:
        assert second is not first
        assert second.call(named("echo"), 2) == 2
    finally:
        second.close()
    assert not second.alive


def test_a_worker_ignores_ctrl_c(light):
    light.call(named("echo"), 1)
    os.kill(light.pid, signal.SIGINT)
    assert light.call(named("echo"), 2) == 2


def test_two_threads_get_their_own_answers(light):
    answers = {}

    def ask(number):
        answers[number] = [light.call(named("echo"), [number, i]) for i in range(20)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [[number, i] for i in range(20)] for number in range(4)}


def test_a_closed_worker_has_ended_by_itself(backend):
    with Worker(backend.name) as process:
        process.call(named("echo"), 1)
    assert process._process.returncode == 0


def test_a_worker_that_does_not_let_itself_be_closed_is_killed(backend):
    process = Worker(backend.name)
    process.call(named("echo"), 1)
    stop_responding(process)
    process.close()
    assert process._process.returncode == -signal.SIGKILL


def has_ended(pid):
    """Return whether the process is gone or a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] in "ZX"


@pytest.mark.parametrize("is_stopped", [False, True], ids=["at work", "stopped"])
def test_a_worker_ends_with_a_caller_that_was_killed_in_the_middle_of_a_call(backend, is_stopped):
    source = (
        "from trivium.backends.workers.worker import Worker\n"
        f"process = Worker({backend.name!r})\n"
        f"process.call({named('echo')!r}, 1)\n"
        "print(process.pid, flush=True)\n"
        f"process.call({named('sleep')!r}, 300)\n"
    )
    caller = subprocess.Popen([sys.executable, "-P", "-c", source], stdout=subprocess.PIPE, text=True)
    pid = int(caller.stdout.readline())
    time.sleep(0.3)
    assert not has_ended(pid)
    if is_stopped:
        os.kill(pid, signal.SIGSTOP)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    assert wait_until(lambda: has_ended(pid))


def test_a_child_of_a_dead_worker_keeps_nobody_waiting(mortal):
    began = time.monotonic()
    with pytest.raises(WorkerError, match="was killed"):
        mortal.call(named("leave_a_child_and_die"))
    assert time.monotonic() - began < 15


def test_a_child_of_a_dead_worker_that_does_not_read_keeps_nobody_sending(mortal):
    def call_until_it_dies():
        for _ in range(50):
            mortal.call(named("echo"), np.zeros(2**20))

    mortal.call(named("leave_a_child_behind"))
    began = time.monotonic()
    with pytest.raises(WorkerError, match="was killed"):
        call_until_it_dies()
    assert time.monotonic() - began < 15


def test_a_worker_that_a_thread_started_outlives_the_thread(backend):
    workers = []
    thread = threading.Thread(target=lambda: workers.append(Worker(backend.name)))
    thread.start()
    thread.join()
    with workers[0] as process:
        assert process.call(named("echo"), 1) == 1
        time.sleep(0.3)
        assert process.call(named("echo"), 2) == 2
