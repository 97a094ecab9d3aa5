"""Tastes and raters: the sizes that the method cards name, in seconds and in memory.

Each job runs in a process of its own (`python judgements.py JOB`), so that its peak is its own.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tests" / "benchmarks")]

import numpy as np  # noqa: E402
from measure import Line, alternate, ratios  # noqa: E402

PEOPLE, PAIRS, OPTIONS, WIDTH = 10_000, 1_000_000, 20_000, 64


def run(pairs: int, folder: Path) -> list[Line]:
    """Three rounds of the fits; the partial credit model in so many pairs with girth's."""
    lines = []
    for job, what, seconds, memory in (
        ("tastes", "60 people, 6,000 pairs, K=1..4, 3 restarts", 20, None),
        ("million", "10,000 people, 1,000,000 pairs, d=64, K=4, one epoch", 30, 2000),
        ("corpus", "JMLE, 1.36 million ratings, hate-speech shape", 30, 1000),
    ):
        found = [_alone(job) for _ in range(min(pairs, 3))]
        took = tuple(f["seconds"] for f in found)
        lines.append(Line("judgements", what, took, "s", bar=seconds, note=found[0]["note"]))
        if memory:
            peak = tuple(f["peak_mb"] for f in found)
            lines.append(Line("judgements", f"peak of {job}, all in", peak, "MB", bar=memory))
    return [*lines, *_against_girth(pairs)]


def _alone(job: str) -> dict:
    command = [sys.executable, str(Path(__file__)), job]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _against_girth(pairs: int) -> list[Line]:
    """Partial credit, 2,000 people by 20 items of 4 categories; girth fits by MML."""
    from girth import pcm_mml

    from backend.rasch.jmle import fit_jmle
    from backend.rasch.reading import read_ratings
    from backend.rasch.simulate import simulate

    made = simulate(2000, 1, 1, seed=0, difficulty=np.linspace(-2, 2, 20), most=np.full(20, 3))
    ratings = read_ratings(made.table())
    table = np.zeros((20, 2000), dtype=np.int64)
    table[ratings.codes["criterion"], ratings.codes["item"]] = ratings.x
    times = alternate({"ours": lambda: fit_jmle(ratings), "girth": lambda: pcm_mml(table)}, pairs)
    ratio = ratios(times, "girth", "ours")
    return [
        Line("judgements", "girth pcm_mml / our JMLE, 2,000 x 20", ratio, bar=10, at_least=True)
    ]


def tastes() -> str:
    """Check 4 of the PAL card."""
    from backend.preferences.choices import Choices
    from backend.preferences.fitting import fit
    from backend.preferences.form import Form
    from backend.preferences.simulate import simulate

    made = simulate(seed=0)
    choices = Choices(
        np.arange(60).astype(str), np.arange(1000).astype(str), made.u, made.left,
        made.right, made.y,
    )  # fmt: skip
    for k in (1, 2, 3, 4):
        fit(choices, np.arange(choices.n), made.X, Form(k))
    return "width of the prior chosen on a tenth of the pairs included"


def million() -> str:
    """One epoch of Adam at the large size."""
    from backend.preferences.choices import Choices
    from backend.preferences.fitting import Training, fit
    from backend.preferences.form import Form

    rng = np.random.default_rng(0)
    X = rng.normal(size=(OPTIONS, WIDTH)) / 8
    u, left = rng.integers(PEOPLE, size=PAIRS), rng.integers(OPTIONS, size=PAIRS)
    right = (left + 1 + rng.integers(OPTIONS - 1, size=PAIRS)) % OPTIONS
    y = np.where(rng.random(PAIRS) < 0.5, 1, -1).astype(np.int8)
    choices = Choices(np.arange(PEOPLE).astype(str), np.arange(OPTIONS).astype(str), u, left,
                      right, y)  # fmt: skip
    fit(choices, np.arange(PAIRS), X, Form(4), training=Training(restarts=1, epochs=1))
    return "data made in the same process"


def corpus() -> str:
    """JMLE at the shape of the public Measuring Hate Speech table, simulated."""
    from backend.rasch.jmle import fit_jmle
    from backend.rasch.reading import read_ratings
    from backend.rasch.simulate import simulate_corpus

    fitted = fit_jmle(read_ratings(simulate_corpus(seed=0).table()))
    return f"{fitted.iterations} iterations, converged: {fitted.converged}; reading included"


if __name__ == "__main__":
    start = perf_counter()
    said = {"tastes": tastes, "million": million, "corpus": corpus}[sys.argv[1]]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": perf_counter() - start, "peak_mb": peak, "note": said}))
