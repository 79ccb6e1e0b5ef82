"""Many picture files, each read by a task: several at a time, in threads.

Pillow releases Python's lock while it decodes. Only as many pictures are decoded at once as there are threads.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from .picture_file import PictureError

_MOST_THREADS = 16
# Files that one task reads.
_FILES_PER_TASK = 32

# Why pictures could not be read, by their numbers.
Errors = dict[int, PictureError]


def in_threads(task: Callable[[int], None], count: int) -> Errors:
    """Run a task for each number from 0 to `count`, several at a time; return by number which picture is unreadable.

    Any other error of a task ends all.
    """

    def run(numbers: range) -> Errors:
        errors = {}
        for number in numbers:
            try:
                task(number)
            except PictureError as error:
                errors[number] = error
        return errors

    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    size = max(1, min(_FILES_PER_TASK, math.ceil(count / threads)))
    tasks = [range(first, min(first + size, count)) for first in range(0, count, size)]
    if len(tasks) <= 1:
        return run(range(count))
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(run, tasks)
        return {number: error for part in parts for number, error in part.items()}
