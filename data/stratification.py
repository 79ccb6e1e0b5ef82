"""A shuffled split with classes equally frequent in both parts: scikit-learn's, in less than half of its memory.

`train_test_split(…, stratify=classes)` collects the numbers of all rows in Python's lists, 80 bytes a row (scikit-learn
1.9): 2 GB for 25 million rows, which need not be in memory themselves. The rows of each part, and their order, are the
same here.
"""

from __future__ import annotations

import numpy as np


def stratified_split(classes: np.ndarray, tested: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are training and test data, each shuffled.

    Args:
        classes: (rows,) the class of each row; each class at least twice.
        tested: the number of rows of the test part, at least one for each class; as many are in the training part.
        seed: of the choice.
    """
    generator = np.random.RandomState(seed)
    names, counts = np.unique(classes, return_counts=True)
    numbers = np.searchsorted(names, classes).astype(np.min_scalar_type(len(names)))  # small ones are sorted faster
    rows_of_classes = np.split(np.argsort(numbers, kind="stable"), np.cumsum(counts)[:-1])
    training = _shares(counts, len(classes) - tested, generator)
    testing = _shares(counts - training, tested, generator)
    parts: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    for rows, trained, held_out in zip(rows_of_classes, training, testing, strict=True):
        shuffled = rows[generator.permutation(len(rows))]
        parts[0].append(shuffled[:trained])
        parts[1].append(shuffled[trained : trained + held_out])
    train, test = (generator.permutation(np.concatenate(part)) for part in parts)
    return train, test


def _shares(counts: np.ndarray, total: int, generator: np.random.RandomState) -> np.ndarray:
    """Return how many rows of each class make up a total in proportion to their counts, (classes,) int64.

    Shares are rounded down. What is missing goes to those with the largest remainders, by lot where these are equal.
    """
    exact = counts / counts.sum() * total
    shares = np.floor(exact)
    missing = int(total - shares.sum())
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if not missing:
            break
        (equal,) = np.where(remainders == remainder)
        chosen = generator.choice(equal, size=min(len(equal), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
    return np.asarray(shares, "int64")
