"""Small results of `collapse`, as they are given; names hold markup."""

import numpy as np
import pyarrow as pa

from backend.analyses.result import Result
from backend.collapse.geometry import CORNERS

KEY = "0123456789abcdef0123456789abcdef"
EPOCHS = (0, 1, 2, 5, 10, 50)
LAYERS = ("block.0", "block.1", "penultimate")
CLASSES = ("<b>cat</b>", "dog", "hen", "owl")
ZERO = 5  # training error is 0 from there on
WITH_INTERVAL = ("nc1", "nc1_ratio", "cdnv", "nc2_equinorm", "nc2_equiangular", "nc2", "nc3")
ROWS = {"train": 1347, "held out": 450}


def collapse(
    *, key: str = KEY, seed: int = 7, times: float = 1.0, zero: int | None = ZERO,
    epochs: tuple[int, ...] = EPOCHS, layers: tuple[str, ...] = LAYERS,
    classes: tuple[str, ...] = CLASSES, run: str = "run:<i>digits</i>", **changed: pa.Table,
) -> Result:  # fmt: skip
    """A run in which every measure falls with the epoch; `changed` puts tables in their place."""
    tables = {
        "trajectory": trajectory(epochs, layers, run, times, zero),
        "classes": table_of_classes(epochs, classes, run),
        "cosines": cosines(epochs, classes, run),
        "plane": plane(epochs, classes, run),
        "steps": steps(layers),
    }  # fmt: skip
    said = {
        "key": key, "analysis": "collapse", "data_name": "digits & <b>more</b>", "seed": seed,
        "models": [{"ref": "run:digits", "id": "9f2b7c1d22aa"}], "dtype": "float32",
    }  # fmt: skip
    scalars = {
        "part": "train", "n": ROWS["train"], "classes": len(classes), "zero_epoch": zero,
        "width": 64, "last_epoch": epochs[-1],
    }  # fmt: skip
    return Result(key, "collapse", scalars, tables | changed, "They do.", said)


def nc1(step: int, index: int) -> float:
    """NC1 at the step-th epoch kept: straight over depth on a log axis, level in layer 0."""
    return float(10.0 ** (-0.2 * step * index))


def trajectory(
    epochs: tuple[int, ...], layers: tuple[str, ...], run: str, times: float, zero: int | None
) -> pa.Table:
    """Lines are out of order. Intervals in the last layer, and everywhere at the last epoch."""
    lines = []
    for part, more in (("train", 1.0), ("held out", 3.0)):
        for step, epoch in reversed(list(enumerate(epochs))):
            for index, layer in enumerate(layers):
                last = index == len(layers) - 1
                value = nc1(step, index) * more * times
                far = 0.9 ** (step + index) * more / 3 * times
                line = {
                    "run": run, "part": part, "epoch": epoch, "layer": layer, "index": index,
                    "n": ROWS[part], "width": 64, "nc1": value, "nc1_ratio": 2 * value,
                    "cdnv": value / 4, "nc2_equinorm": far / 3, "nc2_equiangular": far / 2,
                    "nc2": far, "nc3": far / 4 if last else None, "centre_error": 0.0,
                    "nc4": 0.4 / (1 + step) if last else None, "nc3_zhu": None,
                    "nc2_weight": far / 5 if last else None, "bias": None,
                }  # fmt: skip
                for name in WITH_INTERVAL:
                    given = line[name] is not None and (last or step == len(epochs) - 1)
                    line[f"{name}_low"] = 0.8 * line[name] if given else None
                    line[f"{name}_high"] = 1.25 * line[name] if given else None
                done = zero is not None and epoch >= zero and part == "train"
                line["train_error"] = (0.0 if done else 0.9 / (1 + epoch)) if last else None
                lines.append(line)
    return pa.Table.from_pylist(lines)


def table_of_classes(epochs: tuple[int, ...], classes: tuple[str, ...], run: str) -> pa.Table:
    """The k-th class: CDNV rises with k, distance and errors too; norms lie around the mean."""
    lines = []
    for part, n in ROWS.items():
        for step, epoch in enumerate(epochs):
            for k, name in enumerate(classes):
                lines.append({
                    "run": run, "part": part, "epoch": epoch, "class": name, "n": n // 4,
                    "within": 1.0 + k, "nearest": classes[k - 1], "distance": 2.0 + k,
                    "cdnv": (0.1 + 0.1 * k) * 0.5**step, "centre_error": min(0.05 * k, 1.0),
                    "head_error": None, "norm": 3.0, "norm_excess": 0.1 * (k - 1),
                })  # fmt: skip
    return pa.Table.from_pylist(lines)


def cosines(epochs: tuple[int, ...], classes: tuple[str, ...], run: str) -> pa.Table:
    """Even classes are alike, and so are odd ones: + 0.2 there, - 0.1 elsewhere, falling."""
    lines = [
        {"run": run, "part": part, "epoch": epoch, "class_a": a, "class_b": b,
         "excess": (0.2 if (i - j) % 2 == 0 else -0.1) * 0.7**step}
        for part in ROWS
        for step, epoch in enumerate(epochs)
        for i, a in enumerate(classes)
        for j, b in enumerate(classes)
        if i != j
    ]  # fmt: skip
    return pa.Table.from_pylist(lines)


def plane(epochs: tuple[int, ...], classes: tuple[str, ...], run: str, each: int = 8) -> pa.Table:
    """Samples on circles around the corners, radius 5 at first and a third of it at each step."""
    lines = []
    angle = 2 * np.pi * np.arange(each) / each
    for part in ROWS:
        for step, epoch in enumerate(epochs):
            where = {"run": run, "part": part, "epoch": epoch}
            for name, corner in zip(classes, CORNERS, strict=False):
                circle = corner + 5 / 3**step * np.c_[np.cos(angle), np.sin(angle)]
                marks = {"sample": circle, "mean": corner[None], "head": 0.8 * corner[None]}
                lines += [
                    where | {"kind": kind, "class": name, "number": i, "x": x, "y": y}
                    for kind, places in marks.items()
                    for i, (x, y) in enumerate(places.tolist())
                ]
    return pa.Table.from_pylist(lines)


def steps(layers: tuple[str, ...]) -> pa.Table:
    """beta rises from 10 on by decades; the first is not large, the last is out of reach."""
    lines = []
    for i, (a, b) in enumerate(zip(layers, layers[1:], strict=False)):
        last = i == len(layers) - 2
        beta = None if last else 10.0 ** (i + 1)
        lines.append({
            "source": a, "target": b, "index": i, "nc1_ratio": 1 / (i + 1),
            "nc1_ratio_next": 1 / (i + 2), "beta": beta, "low": None if last else beta / 2,
            "high": None if last else 2 * beta, "large": None if last else i > 0,
            "reason": "NC1~ does not <i>fall</i>." if last else None,
        })  # fmt: skip
    return pa.Table.from_pylist(lines)


def history(done: int) -> list[dict]:
    """A training's record up to an epoch; measures at every second epoch, zero error from 4 on."""
    return [
        {
            "epoch": e, "train_loss": 1 / (1 + e), "test_loss": 1.0,
            "train_accuracy": min(1.0, 0.5 + e / 8), "test_accuracy": 0.5,
        }
        | ({} if e % 2 else dict.fromkeys((*WITH_INTERVAL, "nc4"), 0.5 / (1 + e)))
        for e in range(done + 1)
    ]  # fmt: skip
