"""A training's checkpoints as one model in turn: their weights, and what they make of some rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.spec import Progress
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

_NAMED = re.compile(r"(?:epoch|checkpoint|step)[-_]?0*(\d+)")
_CHUNK = 64


def find_checkpoints(model: "LoadedModel") -> list[tuple[int, Path]]:
    """The model's own folder and those beside it, by number: epoch-0003, checkpoint-500, ...

    Raises
    ------
    AnalysisError : there are fewer than two.
    """
    parent = Path(model.source.folder).parent
    found = sorted(
        (int(match[1]), folder)
        for folder in parent.iterdir()
        if (match := _NAMED.fullmatch(folder.name)) and any(folder.glob("*.safetensors"))
    )
    if len(found) < 2:
        raise AnalysisError(
            f"{model.source.ref} has no checkpoints beside it.",
            "Train a net here, or put folders such as epoch-0001 of one architecture together.",
        )
    return found


@contextmanager
def weights_of(model: "LoadedModel", folder: Path) -> Iterator[None]:
    """The model with the weights in a folder; its own come back at the end."""
    from safetensors.torch import load_file

    own = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    given: dict = {}
    for part in sorted(folder.glob("*.safetensors")):
        given |= load_file(part)
    try:
        missing, extra = model.model.load_state_dict(given, strict=False)
        lost = [name for name in (*missing, *extra) if "num_batches_tracked" not in name]
        if lost:
            raise AnalysisError(
                f"{folder.name} holds weights of another architecture ({lost[0]}).",
                "Keep checkpoints of one architecture beside each other.",
            )
        yield
    finally:
        model.model.load_state_dict(own)


def vectors_at(
    model: "LoadedModel", view: CaptureView, rows: np.ndarray, sites: tuple[str, ...],
    *, progress: Progress, doing: str,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Pooled vectors of data rows at some sites, site -> (n, width) float32."""
    from backend.capture.shard import Collector, read_items, run_rows

    collector = Collector(sites, len(rows), view.pooling)
    for start in range(0, len(rows), _CHUNK):
        progress(start, len(rows), doing)
        items = read_items(view.dataset, rows[start : start + _CHUNK], model)
        prepared = model.inputs.prepare(items, max_tokens=model.max_tokens)
        run_rows(model, prepared, sites, view.pooling, into=collector, first=start)
    return {site: collector.result(site, rows)[1] for site in sites}
