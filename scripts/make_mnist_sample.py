"""Makes the MNIST sample inside trivium: 5,000 training and 1,000 test digits, stratified.

    python scripts/make_mnist_sample.py path/to/mnist.npz

Each class has the same share as in the full set, and the digits keep their order. The seed is fixed, so the same input
gives the same file.
"""

import sys
from pathlib import Path

import numpy as np

SAMPLE = Path(__file__).parent.parent / "data" / "samples" / "mnist.npz"
SIZES = {"train": 5_000, "test": 1_000}


def stratified(labels: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """Return `size` ascending indices in which each class has its share of all labels (largest remainder method)."""
    counts = np.bincount(labels)
    shares = size * counts / counts.sum()
    quotas = np.floor(shares).astype(int)
    quotas[np.argsort(quotas - shares)[: size - quotas.sum()]] += 1
    chosen = [
        generator.choice(np.flatnonzero(labels == label), quota, replace=False) for label, quota in enumerate(quotas)
    ]
    return np.sort(np.concatenate(chosen))


def main() -> None:
    full = np.load(sys.argv[1])
    generator = np.random.default_rng(2026)
    arrays = {}
    for part, size in SIZES.items():
        chosen = stratified(full[f"y_{part}"], size, generator)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = full[f"x_{part}"][chosen], full[f"y_{part}"][chosen]
    SAMPLE.parent.mkdir(exist_ok=True)
    np.savez_compressed(SAMPLE, **arrays)
    print(f"{SAMPLE}: {SAMPLE.stat().st_size / 1e6:.2f} MB, classes {np.bincount(arrays['y_train'])}")


if __name__ == "__main__":
    main()
