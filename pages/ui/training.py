"""Trainings that pages share: starting one, watching it, picking those that were done."""

from collections.abc import Mapping
from urllib.parse import parse_qs, quote, urlencode

from ui.following import do, finished
from ui.opening import workbench
from ui.waiting import ACTIVE


def runs() -> dict[str, dict]:
    """Trainings with a checkpoint, by the folder of their last one, the newest first."""
    found = [run for run in workbench().trainings() if run["checkpoints"]]
    return {run["checkpoints"][-1]["folder"]: run for run in found}


def training_title(run: Mapping) -> str:
    """A training in one line: which net on what, how long, how well, which seed."""
    seed = parse_qs(run["recipe"]).get("seed", ["0"])[0]
    last = run["history"][-1] if run["history"] else {}
    score = f", held-out accuracy {last['test_accuracy']:.1%}" if last else ""
    state = "" if run["finished"] else f", stopped after epoch {last.get('epoch', 0)}"
    return f"{training_group(run)}, seed {seed} ({run['key'][:6]}){score}{state}"


def training_group(run: Mapping) -> str:
    """What trainings that differ in their seed alone have in common."""
    told = {name: values[0] for name, values in parse_qs(run["recipe"]).items()}
    net = {"mlp": "MLP"}.get(told.get("net", ""), "residual net")
    more = [f"{name} {told[name]}" for name in
            ("loss", "weight_decay", "head_decay", "body_decay", "layerwise", "label_noise")
            if name in told]  # fmt: skip
    extra = f", {', '.join(more)}" if more else ""
    return f"{net} on {run['data_name']}, {run['epochs']} epochs{extra}"


def training_data(run: Mapping) -> str:
    """How its data are called now: by content, or as they were named."""
    known = workbench().dataset(run["data"])
    return run["data"] if known else parse_qs(run["recipe"])["data"][0]


def labelled_pictures() -> list[str]:
    """Data sets of pictures that a net can be trained on."""
    return [o.ref for o in workbench().offers("data") if o.kind == "image"]


def recipe_text(**values: object) -> str:
    """A recipe as text."""
    return urlencode({k: str(v) for k, v in values.items()}, quote_via=quote, safe="/:")


def train_button(*recipes: str, key: str = "training-run") -> list[str]:
    """A button that starts these trainings, and their progress; their last folders, once."""
    do("Train", lambda: workbench().submit_training(recipes), key=key)
    made: list[dict] | None = finished(key)  # type: ignore[assignment]
    return [run["checkpoints"][-1]["folder"] for run in made or ()]


def is_training() -> bool:
    """Whether a training was started and has not ended."""
    return bool(_live())


def running() -> dict | None:
    """The record of a training that is running now; None where none is, or it has no epoch yet."""
    asked = [text for job in _live() for text in job.request["recipe"]]
    found = [run for run in workbench().trainings() if run["recipe"] in asked and run["history"]]
    return next((run for run in found if not run["finished"]), next(iter(found), None))


def _live() -> list:
    """Jobs of trainings that have not ended, the oldest first."""
    jobs = list(workbench().runner.live.values())
    return [j for j in jobs if j.kind == "train" and j.state in ACTIVE]
