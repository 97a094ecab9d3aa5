"""Complexity of many features: seconds and memory at the size that the project names, and RidgeCV.

Each job runs in a process of its own (`python complexity.py JOB`), so that its peak is its own.
"""

import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tests" / "benchmarks")]

import numpy as np  # noqa: E402
from measure import Line, alternate, milliseconds, ratios  # noqa: E402

ROWS, WIDTH, LAYERS, TARGETS = 5000, 512, 17, 10_000
PICTURES = 6000
ALPHAS = np.logspace(-5, 1, 7)


def run(pairs: int, folder: Path) -> list[Line]:
    """Three rounds of the whole size; one layer and 500 targets in so many pairs with RidgeCV."""
    found = [_alone("spectrum") for _ in range(min(pairs, 3))]
    took, peak = (tuple(f[name] for f in found) for name in ("seconds", "peak_mb"))
    what = f"{TARGETS:,} targets, {ROWS:,} rows, {LAYERS} layers of {WIDTH}, 7 strengths"
    return [
        Line("complexity", what, took, "s", bar=100, note=found[0]["note"]),
        Line("complexity", "peak of that, all in", peak, "MB", bar=3000),
        *_against_ridge_cv(pairs),
        _top_pictures(pairs, folder),
    ]


def _top_pictures(pairs: int, folder: Path) -> Line:
    """What opening a feature asks of the store: its top rows, and their files, as the page does."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from PIL import Image

    from backend.complexity.measures import top_rows
    from backend.data.dataset import write_dataset

    rng = np.random.default_rng(0)
    Z = rng.random((PICTURES, 512))
    order, values = top_rows(Z, count=24)
    table = pa.table({"feature": np.repeat(np.arange(512), 24), "row": order.ravel(),
                      "rank": np.tile(np.arange(24), 512), "value": values.ravel()})  # fmt: skip

    def picture() -> bytes:
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (128, 128, 3), np.uint8)).save(out, "JPEG")
        return out.getvalue()

    data = write_dataset(folder, pa.table({"number": np.arange(PICTURES)}), kind="image",
                         name="noise", media=(picture() for _ in range(PICTURES)))  # fmt: skip
    features = iter(rng.permutation(512))

    def opened() -> None:
        mine = table.filter(pc.equal(table["feature"], int(next(features)))).sort_by("rank")
        assert all(data.media(np.array([row]))[0] for row in mine["row"].to_pylist())

    times = alternate({"open": opened}, 10 * pairs)
    what = f"top 24 of {PICTURES:,} pictures of any of 512 features, to their files' bytes"
    return Line("complexity", what, milliseconds(times, "open"), "ms", bar=300)


def _alone(job: str) -> dict:
    command = [sys.executable, str(Path(__file__)), job]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _made(layers: int, targets: int) -> tuple[list[tuple[str, np.ndarray]], np.ndarray]:
    """Layers that turn a little at each step, and rectified directions of the last, float32."""
    rng = np.random.default_rng(0)
    X, out = rng.normal(size=(ROWS, WIDTH)).astype(np.float32), []
    for index in range(layers):
        out.append((f"layer_{index}", X))
        turn = rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / np.sqrt(WIDTH)
        X = np.maximum(0.9 * X + 0.4 * (X @ turn), -0.5)
    D = rng.normal(size=(WIDTH, targets)).astype(np.float32) / np.sqrt(WIDTH)
    return out, np.maximum(X @ D, 0)


def _split():
    from backend.complexity.readability import Split

    order = np.random.default_rng(0).permutation(ROWS)
    held, valid = ROWS // 4, ROWS * 15 // 100
    return Split(order[held + valid :], order[held : held + valid], order[:held])


def _against_ridge_cv(pairs: int) -> list[Line]:
    """The same rows for both: RidgeCV fits and chooses on ours to fit and to choose on."""
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    from backend.complexity.readability import readability

    layers, Z = _made(1, 500)
    split = _split()
    learn = np.concatenate([split.fit, split.valid])
    X, Z = layers[0][1].astype(np.float64), Z.astype(np.float64)

    def theirs() -> np.ndarray:
        scaler = StandardScaler().fit(X[learn])
        fitted = RidgeCV(ALPHAS * len(learn)).fit(scaler.transform(X[learn]), Z[learn])
        said = fitted.predict(scaler.transform(X[split.held]))
        return r2_score(Z[split.held], said, multioutput="raw_values")

    def ours(draws: int = 0) -> np.ndarray:
        return readability(layers, Z, split, alphas=ALPHAS, draws=draws).raw[0]

    def alone() -> np.ndarray:
        with threadpool_limits(1, user_api="blas"):
            return theirs()

    note = f"mean R2 {ours().mean():.4f}, RidgeCV {theirs().mean():.4f}; RidgeCV at its faster of"
    methods = {"ours": ours, "drawn": lambda: ours(200), "RidgeCV": theirs, "RidgeCV, 1": alone}
    times = alternate(methods, pairs)
    pair = zip(times["RidgeCV"], times["RidgeCV, 1"], strict=True)
    times["best"] = [min(both) for both in pair]
    what = "RidgeCV, multi-target / ours, 500 targets, one layer, 7 strengths"
    return [
        Line("complexity", what, ratios(times, "best", "ours"), bar=1.7, at_least=True,
             note=f"{note} one and all threads, ours on one"),
        Line("complexity", "the same with 200 bootstrap draws in ours",
             ratios(times, "best", "drawn")),
    ]  # fmt: skip


def spectrum() -> tuple[float, str]:
    """The whole size, intervals included; making the data is not timed."""
    from backend.complexity.readability import readability

    layers, Z = _made(LAYERS, TARGETS)
    start = perf_counter()
    found = readability(layers, Z, _split(), alphas=ALPHAS, workers=os.cpu_count() or 1)
    mean = found.complexity.mean()
    return perf_counter() - start, f"200 draws for intervals included; mean complexity {mean:.3f}"


if __name__ == "__main__":
    seconds, said = {"spectrum": spectrum}[sys.argv[1]]()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "note": said}))
