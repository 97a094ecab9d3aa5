"""Measures of neural collapse at 50 000 x 2 048, and the way that forms the covariances.

Each job runs in a process of its own (`python collapse.py JOB`), so that its peak is its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tests" / "benchmarks")]

import numpy as np  # noqa: E402
from alone import _status  # noqa: E402
from measure import Line, alternate, milliseconds, ratios  # noqa: E402

ROWS, WIDTH, CLASSES = 50_000, 2048, 10
WORKERS = os.cpu_count() or 1


def run(pairs: int, folder: Path) -> list[Line]:
    """Pairs with the plain way take about ten seconds each; memory hardly varies."""
    found = _alone("pairs", min(pairs, 5))
    share = _alone("memory", 1)["share"]
    what = f"{ROWS:,} x {WIDTH:,} float32, {CLASSES} classes"
    return [
        Line("collapse", f"covariances and hermitian pinv / ours, {what}",
             tuple(found["ratio"]), bar=30, at_least=True, note=found["note"]),
        Line("collapse", "the same, ours with a head as well", tuple(found["ratio_head"])),
        Line("collapse", "the first, both on one thread", tuple(found["ratio_one"])),
        Line("collapse", "ours", tuple(found["ours"]), "ms"),
        Line("collapse", "ours with a head", tuple(found["head"]), "ms"),
        Line("collapse", "that with 200 draws for intervals", tuple(found["drawn"]), "ms"),
        Line("collapse", "difference of NC1, relative", (found["difference"],), bar=1e-8,
             note=f"{found['difference']:.1e}"),
        Line("collapse", "extra memory over the features", (share,), bar=0.5),
    ]  # fmt: skip


def _alone(job: str, pairs: int) -> dict:
    command = [sys.executable, str(Path(__file__)), job, str(pairs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _made() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features half-way to collapse, labels in no order, and a head; float32."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=ROWS)
    means = rng.normal(size=(CLASSES, WIDTH)).astype(np.float32)
    H = rng.standard_normal((ROWS, WIDTH), dtype=np.float32)
    H *= 0.5
    for start in range(0, ROWS, 1000):
        H[start : start + 1000] += means[y[start : start + 1000]]
    return H, y, means - means.mean(axis=0)


def plain(H: np.ndarray, y: np.ndarray) -> float:
    """NC1 as it is commonly written, in float64."""
    X = H.astype(np.float64)
    means = np.stack([X[y == k].mean(axis=0) for k in range(CLASSES)])
    X -= means[y]
    M = means - means.mean(axis=0)
    within, between = X.T @ X / len(X), M.T @ M / CLASSES
    return float(np.trace(within @ np.linalg.pinv(between, rtol=1e-10, hermitian=True)) / CLASSES)


def pairs(rounds: int) -> dict:
    """Ratios of the plain way over ours, with all threads and with one."""
    from threadpoolctl import threadpool_limits

    from backend.collapse.intervals import bootstrap
    from backend.collapse.streaming import collapse, summarise

    H, y, W = _made()

    def ours(workers: int = WORKERS) -> float:
        return collapse(H, y, workers=workers).nc1

    def drawn() -> None:
        found = summarise(H, y, weight=W, keep=True, workers=WORKERS)
        bootstrap(found.moments, found.rows)

    def plain_one() -> float:
        with threadpool_limits(1, user_api="blas"):
            return plain(H, y)

    one, other = ours(), plain(H, y)
    methods = {
        "ours": ours, "plain": lambda: plain(H, y),
        "head": lambda: collapse(H, y, weight=W, workers=WORKERS), "drawn": drawn,
        "ours, 1": lambda: ours(1), "plain, 1": plain_one,
    }  # fmt: skip
    times = alternate(methods, rounds, warm=0)
    median = sorted(times["plain"])[rounds // 2]
    return {
        "ratio": ratios(times, "plain", "ours"), "ratio_head": ratios(times, "plain", "head"),
        "ratio_one": ratios(times, "plain, 1", "ours, 1"), "ours": milliseconds(times, "ours"),
        "head": milliseconds(times, "head"), "drawn": milliseconds(times, "drawn"),
        "difference": abs(one - other) / other,
        "note": f"NC1 alone takes the plain way {median:.1f} s; ours gives all measures; "
                f"{WORKERS} threads each",
    }  # fmt: skip


def memory(_: int) -> dict:
    """The highest resident size while ours runs, minus that before, over the features' bytes."""
    from backend.collapse.streaming import collapse

    H, y, W = _made()
    collapse(H[:1000], y[:1000], weight=W)  # what a first call loads is not the method's
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _status("VmRSS")
    collapse(H, y, weight=W, workers=WORKERS)
    return {"share": (_status("VmHWM") - before) * 2**20 / H.nbytes}


if __name__ == "__main__":
    print(json.dumps({"pairs": pairs, "memory": memory}[sys.argv[1]](int(sys.argv[2]))))
