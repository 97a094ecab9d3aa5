"""What workers are asked to do: plain functions that take values and hand back paths and numbers.

The last argument is always the job's Ticker. Heavy libraries are imported here, in the worker.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from backend.analyses.result import Body
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset, open_dataset
from backend.jobs.ticks import Ticker
from backend.models.sources import ModelSource, find_source
from backend.settings import Settings
from backend.training import Recipe
from backend.whatif import WhatIf


def warm_up(ticker: Ticker) -> str:
    """Import what the first real call would wait for; returns torch's version."""
    import torch
    import transformers

    return f"torch {torch.__version__}, transformers {transformers.__version__}"


def resolve_model(settings: Settings, ref: str, ticker: Ticker) -> tuple[ModelSource, dict]:
    """Find (and if need be fetch) a model, and say what it is without loading its weights."""
    from backend.models.describe import describe

    if ref.startswith("demo:"):
        from backend.demo import ensure
        from backend.models.sources import from_folder

        folder = ensure(ref.removeprefix("demo:"), settings, ticker.progress)
        source = from_folder(ref, Path(str(folder)), settings=settings)
    else:
        source = find_source(ref, settings=settings, progress=ticker.progress)
    return source, describe(source, settings)


def resolve_data(
    settings: Settings, ref: str, text_column: str | None, name: str | None, ticker: Ticker
) -> Dataset:
    """Read a data file, folder or demo set into the store's own form."""
    if ref.startswith("demo:"):
        from backend.demo import ensure

        made = ensure(ref.removeprefix("demo:"), settings, ticker.progress)
        assert isinstance(made, Dataset)
        return made
    from backend.data.sources import read_data

    return read_data(
        Path(ref).expanduser(), root=settings.data, settings=settings,
        text_column=text_column, name=name, progress=ticker.progress,
    )  # fmt: skip


def cut_crops(
    settings: Settings, dataset: Dataset, per_image: int, sides: tuple[float, ...], seed: int,
    ticker: Ticker,
) -> Dataset:  # fmt: skip
    """Squares of every picture of a data set, as a data set of their own."""
    from backend.data.crops import write_crops

    return write_crops(
        settings.data, dataset, per_image=per_image, sides=sides, seed=seed,
        progress=ticker.progress,
    )  # fmt: skip


def texts_of(settings: Settings, judged: Dataset, ticker: Ticker) -> Dataset:
    """The options of choices, or the items of ratings, as a data set of texts."""
    from backend.data.dataset import write_dataset
    from backend.data.judgements import texts_of as distinct

    what = {"choices": "Options", "ratings": "Items"}[judged.kind]
    return write_dataset(
        settings.data, distinct(judged.table(), judged.kind), kind="text", text_column="text",
        name=f"{what} of {judged.name}", source=judged.source, licence=judged.licence,
    )  # fmt: skip


def capture_shard(
    settings: Settings, source: ModelSource, folder: Path, task, budget: int | None,
    place: tuple[int, int], ticker: Ticker,
):  # fmt: skip
    """One shard of a capture; `place` = (rows before it, rows of the job), for the progress."""
    from backend.capture import shard
    from backend.models.loading import SHELF
    from backend.whatif.applying import applied

    ticker.check()
    model = SHELF.get(source, settings)
    with applied(model, WhatIf.parse(task.whatif)):
        return shard.capture_shard(
            model, open_dataset(folder), task,
            max_tokens=settings.max_tokens, budget=budget,
            advance=lambda done: ticker.progress(place[0] + done, place[1]),
        )  # fmt: skip


def verify_capture(
    settings: Settings, source: ModelSource, view: CaptureView, n_rows: int, ticker: Ticker
) -> dict:
    """Hold the first rows of a capture against the plain forward pass.

    Returns the report with `sites_checked`, the names of the sites.
    """
    from backend.capture.verify import verify
    from backend.models.loading import SHELF
    from backend.whatif.applying import applied

    ticker.check()
    few = replace(view, n=n_rows)
    rows = few.rows()
    stored = {site: few.vectors(site) for site in few.sites}
    model = SHELF.get(source, settings)
    with applied(model, WhatIf.parse(view.whatif)):
        check = verify(
            model, view.dataset, rows, stored, view.pooling, half=view.dtype == "float16"
        )
    return check.to_json() | {"sites_checked": list(few.sites)}


def analyse(
    settings: Settings, key: str, views: tuple[CaptureView, ...], sources: tuple[ModelSource, ...],
    seed: int, parameters: dict, tables: tuple[Dataset, Dataset | None] | None, ticker: Ticker,
) -> Body:  # fmt: skip
    """Run one registered analysis.

    `sources` are the models of the views, where it needs them open; a second one is handed over as
    `second`, as it is. `tables` are the judgements and the second data set, if any.
    """
    from backend.analyses import load_all

    spec = load_all()[key]
    assert spec.run is not None, f"{key} is a suite; the workbench runs its parts"
    call = partial(spec.run, views, seed=seed, progress=ticker.progress, **parameters)
    if tables is not None:
        call = partial(call, data=tables[0], also=tables[1])
    if not spec.needs_model or not sources:
        return call()
    from backend.models.loading import SHELF
    from backend.whatif.applying import applied

    model, whatif = SHELF.get(sources[0], settings), WhatIf.parse(views[0].whatif)
    if len(sources) > 1:
        call = partial(call, second=SHELF.get(sources[1], settings))
    if spec.compares:
        return call(model=model, whatif=whatif)
    with applied(model, whatif):
        return call(model=model)


def trained_folder(settings: Settings) -> Path:
    """Where training runs lie."""
    return settings.models / "trained"


def train(settings: Settings, folder: Path, recipe: Recipe, ticker: Ticker) -> dict:
    """Train a net on the data set in a folder, or take up the run that was stopped."""
    import torch

    from backend.models.loading import choose_device
    from backend.training.train import train as run

    device = choose_device(settings.device, torch.float32).name
    root = trained_folder(settings)
    made = run(recipe, open_dataset(folder), root, device=device, progress=ticker.progress)
    return made.to_json()


def estimate_tokens(dataset: Dataset, *, sample: int = 256) -> float:
    """Mean tokens per row, guessed from characters (4 per token) without a tokenizer."""
    if dataset.text_column is None:
        return 200.0
    rows = np.linspace(0, dataset.n_rows - 1, min(sample, dataset.n_rows)).astype(np.int64)
    return max(4.0, float(np.mean([len(t) for t in dataset.texts(rows)])) / 4.0)


def fqn_config(settings: Settings, source: ModelSource, whatif: WhatIf, ticker: Ticker) -> dict:
    """A what-if's bits by the full names of the modules, without loading weights."""
    from backend.models.loading import dissect, open_model, read_config
    from backend.models.taps import find_blocks
    from backend.whatif.quantized_export import fqn_config as as_config

    config = read_config(source)
    model = open_model(source, config, settings, weights=False)
    trunk, _, family = dissect(model, config, source.ref)
    blocks = find_blocks(trunk, family.blocks)
    return as_config(whatif.check(len(blocks)).assignment(), model, blocks)


def export_model(
    settings: Settings, source: ModelSource, whatif: WhatIf, target: Path, ticker: Ticker
) -> Path:
    """Write a model with rounded weights as a folder; returns it."""
    from backend.models.loading import load
    from backend.whatif.quantized_export import export_folder

    return export_folder(load(source, settings), whatif, target)
