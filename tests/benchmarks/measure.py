"""Paired measurements: a ratio is taken within one round, and the order turns with the rounds."""

import gc
import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from time import perf_counter

Seconds = dict[str, list[float]]  # method -> seconds, one per round


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured in each pair, and the bar that it is held to."""

    group: str
    what: str
    values: tuple[float, ...]  # one per pair
    unit: str = "x"
    bar: float | None = None  # None: shown for orientation
    at_least: bool = False  # whether more is better
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no bar."""
        if self.bar is None:
            return ""
        good = self.median >= self.bar if self.at_least else self.median <= self.bar
        return "met" if good else "missed"

    def to_json(self) -> dict:
        return asdict(self) | {
            "median": self.median, "low": min(self.values), "high": max(self.values),
            "pairs": len(self.values), "verdict": self.verdict,
        }  # fmt: skip


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    gc.collect()
    start = perf_counter()
    call()
    return perf_counter() - start


def alternate(methods: Mapping[str, Callable[[], object]], pairs: int, *, warm: int = 1) -> Seconds:
    """Seconds of each method in each of `pairs` rounds, after `warm` rounds that do not count.

    Rounds begin with one method after the other, and every second one runs backwards.
    """
    names, out = list(methods), {name: [] for name in methods}
    for turn in range(-warm, pairs):
        shift = turn % len(names)
        order = names[shift:] + names[:shift]
        for name in order[::-1] if turn % 2 else order:
            seconds = seconds_of(methods[name])
            if turn >= 0:
                out[name].append(seconds)
    return out


def ratios(times: Seconds, over: str, under: str) -> tuple[float, ...]:
    """over / under, round by round."""
    return tuple(a / b for a, b in zip(times[over], times[under], strict=True))


def milliseconds(times: Seconds, name: str) -> tuple[float, ...]:
    return tuple(1000 * t for t in times[name])
