"""Where more workers stop paying: what they have to say to each other against what each has left to compute.

Workers divide a batch among themselves. A step of n of them takes

    compute / n  +  2 (n - 1) / n × bytes / bandwidth  +  2 (n - 1) × latency

seconds: `compute` is the whole batch's on one worker, `bytes` are those of the gradients, and the rest is what a ring
all-reduce of them takes: n - 1 rounds in which sums go round, n - 1 in which they come back, a part of 1 / n each time
(Patarasuk and Yuan, 2009). It is a bound, not a forecast: nothing is sent while something is computed, no worker waits
for a slower one, and half a batch takes half the time, which on small batches it does not.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

# No cluster has more.
_MOST = 1_000_000


@dataclass(frozen=True)
class Network:
    """What is between the workers.

    Attributes:
        bandwidth: bytes a second from each to the next.
        latency: seconds until the first byte arrives.
    """

    bandwidth: float = 1.25e9  # 10 Gbit/s
    latency: float = 50e-6


@dataclass(frozen=True)
class Step:
    """A step of training, the whole batch's.

    Attributes:
        compute: seconds on one worker.
        gradients: bytes of them.
    """

    compute: float
    gradients: int

    def communication(self, workers: int, network: Network) -> float:
        """Seconds in which so many workers sum their gradients."""
        others = workers - 1
        return 2 * others / workers * self.gradients / network.bandwidth + 2 * others * network.latency

    def seconds(self, workers: int, network: Network) -> float:
        """Seconds of the step on so many workers."""
        return self.compute / workers + self.communication(workers, network)

    def equal_at(self, network: Network) -> int:
        """The least number of workers, 2 or more, that communicate as long as they compute."""
        counts = range(2, _MOST)
        index = bisect.bisect_left(
            counts, True, key=lambda workers: self.communication(workers, network) >= self.compute / workers
        )
        return counts[index] if index < len(counts) else _MOST

    def best(self, network: Network) -> tuple[int, float]:
        """The number of workers with which the step is shortest, and how many times shorter than on one it is then."""
        # The time falls until one more worker saves less than it costs; from there on it rises.
        counts = range(1, _MOST)
        index = bisect.bisect_left(
            counts, True, key=lambda workers: self.seconds(workers + 1, network) >= self.seconds(workers, network)
        )
        workers = counts[min(index, len(counts) - 1)]
        return workers, self.compute / self.seconds(workers, network)
