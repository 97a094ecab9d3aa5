"""Builders of the arithmetic demos, which are written for this project: nothing is fetched."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.demo.build import Material

_TOTALS = range(6, 18)
_SUMS_PER_TOTAL = 5  # at each length, so that lengths do not differ in their answers
_LARGEST_TERM = 12
_INSTRUCTION = (
    'Solve the problem in short steps. Finish with a line that says "The final answer is [answer]."'
)
_ENDING = "The final answer is "


def sums(files: Mapping[str, Path], seed: int = 0) -> Material:
    """Sums of two, three and four terms from 1 to 12; each total equally often at each length."""
    rng = np.random.default_rng(seed)
    rows = []
    for terms in (2, 3, 4):
        of_length = [
            {"text": " + ".join(map(str, numbers)) + " =", "answer": str(total),
             "terms": terms, "hops": terms - 1}
            for total in _TOTALS for numbers in _different_sums(total, terms, rng)
        ]  # fmt: skip
        rows.append([of_length[i] for i in rng.permutation(len(of_length))])
    turns = [row for group in zip(*rows, strict=True) for row in group]
    return Material(pa.Table.from_pylist(turns), text_column="text")


def _different_sums(total: int, terms: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Some ways to write a total; all orders of terms count as different and equally likely."""
    found: dict[tuple[int, ...], None] = {}
    while len(found) < _SUMS_PER_TOTAL:
        cuts = np.sort(rng.choice(np.arange(1, total), size=terms - 1, replace=False))
        numbers = tuple(int(n) for n in np.diff(cuts, prepend=0, append=total))
        if max(numbers) <= _LARGEST_TERM:
            found[numbers] = None
    return list(found)


def problems(files: Mapping[str, Path]) -> Material:
    """24 word problems, solved step by step; a step is one equation of the reasoning."""
    asset = Path(__file__).with_name("problems.txt")
    rows = []
    for block in asset.read_text(encoding="utf-8").strip().split("\n\n"):
        problem, reasoning, ending = block.split("\n")
        text = f"{_INSTRUCTION}\n\nProblem: {problem}\n\n{reasoning}\n{ending}"
        rows.append({
            "text": text,
            "problem": problem,
            "answer": ending.removeprefix(_ENDING).removesuffix("."),
            "steps": reasoning.count(" = "),
        })  # fmt: skip
    return Material(pa.Table.from_pylist(rows), text_column="text")
