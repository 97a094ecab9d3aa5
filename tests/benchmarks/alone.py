"""`python alone.py JOB FOLDER ROWS`: run one job in this fresh process and print its memory.

Prints JSON: `before` and `peak` are resident MiB before the job and at its highest (VmHWM).
Everything that is imported and loaded beforehand does not count; nothing is run beforehand.
"""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def main(job: str, folder: Path, n_rows: int) -> None:
    call = _workbench(folder, n_rows) if job == "workbench" else _method(job, folder, n_rows)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _status("VmRSS")
    call()
    print(json.dumps({"before": before, "peak": _status("VmHWM")}))


def _method(name: str, folder: Path, n_rows: int):
    from material import even, settings, smollm2
    from methods import METHODS

    from backend.models.loading import load

    model = load(smollm2(), settings())
    _touch(model)
    return METHODS[name](model, even(folder, n_rows), folder / name).run


def _workbench(folder: Path, n_rows: int):
    """The whole path of a capture: plan, shards, files, database, check."""
    from dataclasses import replace

    from material import settings, short, smollm2

    from backend import CaptureAsk, Workbench
    from backend.models.loading import SHELF
    from backend.store import put_dataset

    where = replace(settings(), home=folder)
    workbench = Workbench(where)
    made = short(where.data, n_rows)
    put_dataset(
        workbench.store, made.dataset.table(), hash=made.dataset.hash, ref="short", name="short",
        kind="text", folder=made.dataset.folder, description=made.dataset.to_json(),
    )  # fmt: skip
    model = str(smollm2().folder)
    workbench.describe(model)
    _touch(SHELF.get(workbench.source(workbench.model(model)), where))
    return lambda: workbench.capture(CaptureAsk(model, "short"))


def _touch(model) -> None:
    """Read all weights: they are mapped, and would otherwise count as the job's memory."""
    for parameter in model.model.parameters():
        parameter.sum()


def _status(name: str) -> float:
    """A field of /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name))) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
