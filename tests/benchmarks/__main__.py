"""Speed and memory, held against other tools and plain floors.

`python tests/benchmarks [NAME...]` runs the named benchmarks (default: all) and prints one table.
Every number is taken within one run, in pairs: run it on a quiet machine, and believe medians of
ratios rather than seconds. Nothing here is a test; a busy machine must not fail a change.
"""

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the models compared are local ones

import table  # noqa: E402
from measure import Line  # noqa: E402

BENCHMARKS = {
    "capture": "time of a stored capture over the bare model, TransformerLens and nnsight",
    "lengths": "the same on texts of mixed length, in arrival order",
    "memory": "extra memory of each, and its growth with the number of rows",
    "store": "writing, reading, slicing and searching stored vectors",
    "sweeps": "every layer skipped, or rounded to four widths, over one forward pass for each",
    "complexity": "probes of 10 000 features at 17 layers, and scikit-learn's RidgeCV",
    "collapse": "measures of neural collapse, and forming the covariances",
    "judgements": "tastes and raters at the sizes of the method cards, and girth",
    "watch": "a training loop that is watched over one that is not",
    "toggle": "a layer toggled on the strip to the new loss and text, in the browser",
    "paint": "first paint of the dashboard over that of an empty Streamlit app",
    "slider": "a slider move at 20 000 points to the new picture, in the browser",
}


def main() -> int:
    """Run what was asked for; exit code 1 only if something could not be run."""
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__.split("\n\n")[1],
        epilog="; ".join(f"{k}: {v}" for k, v in BENCHMARKS.items()),
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--pairs", type=int, default=7, help="rounds of each comparison")
    parser.add_argument("--out", type=Path, help="write the table to this JSON file too")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}")
    before, lines, failed = table.machine(), [], {}
    for name in asked.names or BENCHMARKS:
        print(f"{name}: {BENCHMARKS[name]} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="penultimate-bench-") as folder:
            try:
                run: Callable[[int, Path], list[Line]] = import_module(name).run
                lines += run(asked.pairs, Path(folder))
            except Exception as error:  # what was measured before is still worth an hour
                traceback.print_exc()
                failed[name] = f"{type(error).__name__}: {error}"
        if asked.out:
            table.save(asked.out, before, lines, failed)
    print(f"{before['date']}, {before['cores']} cores, load {before['load'][0]} before", end="")
    print(f" and {table.machine()['load'][0]} after\n\n{table.draw(lines)}")
    for name, why in failed.items():
        print(f"{name}: not run, {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
