"""Extra memory: a fresh process per method, its highest resident size minus that before."""

import json
import subprocess
import sys
from pathlib import Path

from measure import Line

ALONE = Path(__file__).with_name("alone.py")
FEW, MANY = 32, 256  # texts of 64 tokens
SMALL, LARGE = 1_000, 10_000  # short texts, through the workbench


def run(pairs: int, folder: Path) -> list[Line]:
    """Memory hardly varies: three rounds, and one of the long captures."""
    rounds = min(pairs, 3)
    extra: dict[str, list[float]] = {}
    for turn in range(rounds):
        for name in ("bare", "ours", "TransformerLens", "nnsight"):
            extra.setdefault(name, []).append(_extra(name, folder / f"{name}-{turn}", FEW))
    many = [_extra("ours", folder / f"many-{i}", MANY) for i in range(rounds)]
    small, large = (_measure("workbench", folder / str(n), n) for n in (SMALL, LARGE))
    grown = tuple((m["peak"] - m["before"]) for m in (small, large))
    lines = [
        Line("memory", f"extra, {FEW} rows", tuple(extra["ours"]), "MiB", bar=80,
             note=f"the bare model: {sorted(extra['bare'])[rounds // 2]:.0f} MiB"),
        Line("memory", f"extra, {MANY} rows (a full shard)", tuple(many), "MiB", bar=80),
    ]  # fmt: skip
    for name in ("TransformerLens", "nnsight"):
        share = tuple(a / b for a, b in zip(extra["ours"], extra[name], strict=True))
        note = f"{name}: {sorted(extra[name])[rounds // 2]:.0f} MiB"
        lines.append(Line("memory", f"ours / {name}, extra", share, bar=0.25, note=note))
    return [
        *lines,
        Line("memory", f"peak at {LARGE:,} / {SMALL:,} rows", (large["peak"] / small["peak"],),
             bar=1.1, note=f"workbench: {large['peak']:.0f} and {small['peak']:.0f} MiB in all"),
        Line("memory", "the same, extra only", (grown[1] / grown[0],),
             note=f"{grown[1]:.0f} and {grown[0]:.0f} MiB"),
    ]  # fmt: skip


def _extra(job: str, folder: Path, n_rows: int) -> float:
    found = _measure(job, folder, n_rows)
    return found["peak"] - found["before"]


def _measure(job: str, folder: Path, n_rows: int) -> dict[str, float]:
    """What alone.py says of one job; its last line is the answer."""
    command = [sys.executable, str(ALONE), job, str(folder), str(n_rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
