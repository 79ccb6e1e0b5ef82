"""Models where more workers stop paying off: communication against the computation that is left to each.

Workers divide a batch. A step of n workers takes

    compute / n  +  2 (n - 1) / n × bytes / bandwidth  +  2 (n - 1) × latency

seconds. `compute` is the time of the whole batch on one worker and `bytes` the size of the gradients; the rest is the
ring all-reduce: n - 1 rounds of reduce-scatter and n - 1 of all-gather, each sending 1 / n of the gradients (Patarasuk
and Yuan, 2009). The model is a bound, not a forecast: communication does not overlap computation, no worker waits for a
slower one, and half a batch takes half the time, which does not hold for small batches.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

# More workers than any cluster has.
_MOST = 1_000_000


@dataclass(frozen=True)
class Network:
    """The network between the workers.

    Attributes:
        bandwidth: bytes per second from each worker to the next.
        latency: seconds until the first byte arrives.
    """

    bandwidth: float = 1.25e9  # 10 Gbit/s
    latency: float = 50e-6


@dataclass(frozen=True)
class StepCost:
    """The cost of one training step over the whole batch.

    Attributes:
        compute: seconds on one worker.
        gradients: bytes of the gradients.
    """

    compute: float
    gradients: int

    def communication(self, workers: int, network: Network) -> float:
        """Return the seconds of the all-reduce of the gradients over `workers` workers."""
        others = workers - 1
        return 2 * others / workers * self.gradients / network.bandwidth + 2 * others * network.latency

    def seconds(self, workers: int, network: Network) -> float:
        """Return the seconds of the step on `workers` workers."""
        return self.compute / workers + self.communication(workers, network)

    def equal_at(self, network: Network) -> int:
        """Return the least number of workers, 2 or more, that communicate at least as long as they compute."""
        counts = range(2, _MOST)
        index = bisect.bisect_left(
            counts, True, key=lambda workers: self.communication(workers, network) >= self.compute / workers
        )
        return counts[index] if index < len(counts) else _MOST

    def best(self, network: Network) -> tuple[int, float]:
        """Return the number of workers with the shortest step, and its speed-up over one worker."""
        # The time falls until one more worker saves less than it costs; from there on it rises.
        counts = range(1, _MOST)
        index = bisect.bisect_left(
            counts, True, key=lambda workers: self.seconds(workers + 1, network) >= self.seconds(workers, network)
        )
        workers = counts[min(index, len(counts) - 1)]
        return workers, self.compute / self.seconds(workers, network)
