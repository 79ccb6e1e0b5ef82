"""Functions that the tests of workers run in a worker. They import no framework, so that it starts quickly."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

from trivium import errors
from trivium.backends import runtime
from trivium.backends.workers import worker
from trivium.storage.memory import memory_peak


def echo(value):
    return value


def describe(array):
    return {"dtype": array.dtype.str, "shape": array.shape, "sum": array.sum(), "writable": array.flags.writeable}


def frameworks_loaded():
    return sorted({"keras", "tensorflow", "jax", "torch"} & sys.modules.keys())


def environment(name):
    return os.environ.get(name)


def report_each(count, pause=0.0):
    for number in range(count):
        time.sleep(pause)
        worker.report(number=number, array=np.full(2, number))
    return count


def report_something_unserialisable():
    worker.report(value=object())


def fail(kind, text):
    raise {**vars(errors), "ValueError": ValueError, "KeyError": KeyError}[kind](text)


def unserialisable(kind):
    return {"object": object(), "bytes": b"abc", "objects": np.array([object()])}[kind]


def sleep(seconds):
    time.sleep(seconds)


def print_everywhere(text):
    print(text)
    sys.stdout.flush()
    os.write(1, text.encode())
    print(text, file=sys.stderr)
    subprocess.run([sys.executable, "-c", f"print({text!r})"], check=True)
    return sys.stdin.read()


def end(how):
    for number in range(1, 10):
        print(f"line {number}", file=sys.stderr, flush=True)
    {
        "abort": os.abort,
        "exit": lambda: os._exit(3),
        "sys.exit": lambda: sys.exit(4),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    }[how]()


def memory_peak_around(megabytes):
    before = memory_peak()
    block = np.ones(megabytes * 2**20, "uint8")
    return before, memory_peak(), len(block)


def threads():
    return runtime.current().threads()


def same_results_twice():
    """Return the results of the same computation, made twice in deterministic mode."""
    current = runtime.current()
    import keras

    results = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        current.make_deterministic()
        layer = keras.layers.Conv2D(4, 3)
        results.append(np.asarray(keras.ops.convert_to_numpy(layer(keras.random.uniform((2, 12, 12, 1), seed=1)))))
    return results


_stored = []


def store(value):
    _stored.append(value)


def stored():
    (value,) = _stored
    return value


def leave_a_child_and_die():
    """Die while a child process keeps the pipes open."""
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def leave_a_child_behind():
    """Let a child keep the pipes open, and die a moment after the answer."""
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()


class DataError(Exception):
    """An error of a library, whose class has the name of one of trivium's."""


def fail_as_a_library():
    raise DataError("of a library")


def fail_as_a_picture():
    from trivium.data.pictures.picture_file import PictureError

    raise PictureError("p.png: no such file")
