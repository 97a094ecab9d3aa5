"""A result as files: result.json, one parquet per table, and figures that know their origin."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet

from backend import figures
from backend.analyses.result import Result
from backend.errors import AnalysisError, StoreError, UserError

if TYPE_CHECKING:
    import plotly.graph_objects as go

_RECORD = "result.json"


def check_folder(folder: Path) -> None:
    """UserError when results cannot be written there; to be asked before the work."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file.", "Give --out a folder.")


def write_result(result: Result, folder: Path) -> list[Path]:
    """Write a result into a folder; what an earlier result left there gives way.

    Everything is made in a hidden folder beside the target and moved when it is whole, so a
    failure leaves the target as it was. Other files in the folder stay.

    Returns
    -------
    The files, result.json first. It holds scalars, provenance, the reading, the names of the
    other files, and under `left_out` the figures that could not be drawn and why.

    Raises
    ------
    UserError : `folder` is a file. StoreError : it cannot be written.
    """
    folder = Path(folder).expanduser()
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.part-") as made:
            part = Path(made)
            names = _fill(part, result)
            return _move(part, folder, names)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror or error}.",
            "Free some space, or choose another folder.",
        ) from error


def _fill(part: Path, result: Result) -> list[str]:
    """Make every file below `part`; returns their relative names, the record first."""
    from backend.figures.theme import jsonable

    names, left_out = [], []
    for name, table in result.tables.items():
        pyarrow.parquet.write_table(table, part / f"{name}.parquet", compression="zstd")
        names.append(f"{name}.parquet")
    for name, draw in _drawings(result):
        try:
            saved = figures.save_all(draw(), part / "figures", name)
        except UserError as error:  # a table that holds nothing to draw
            left_out.append(f"{name}: {error}")
            continue
        names += [path.relative_to(part).as_posix() for path in saved.files]
        left_out += saved.left_out
    record = {
        "key": result.key, "analysis": result.analysis, "reading": result.reading,
        "scalars": result.scalars, "provenance": result.provenance,
        "files": names, "left_out": left_out,
    }  # fmt: skip
    text = json.dumps(jsonable(record), indent=2, ensure_ascii=False, allow_nan=False)
    (part / _RECORD).write_text(text + "\n", encoding="utf-8")
    return [_RECORD, *names]


def _drawings(result: Result) -> Iterator[tuple[str, Callable[[], "go.Figure"]]]:
    """The figures that suit the result, or the parts of a suite: name and how to draw it."""
    for analysis in result.provenance.get("parts") or (result.analysis,):
        for name, (table, draw) in _FIGURES.get(analysis, {}).items():
            if table in result.tables:
                yield name, lambda draw=draw: draw(result)


def _projection(result: Result, *, film: bool) -> "go.Figure":
    table = result.tables["projection"]
    parts = result.provenance.get("parts") or {}
    said = parts.get("projection", result.provenance)
    if film:
        return figures.projection_film(table, provenance=said)
    sites = figures.sort_sites(table["site"].unique().to_pylist())
    return figures.projection_map(table, site=sites[-1], provenance=said)


def _lens(result: Result) -> "go.Figure":
    rows = result.tables["lens"]["row"]
    if not len(rows):
        raise AnalysisError("The lens read no text.", "Give a text.")
    return figures.lens_grid(result, rows[0].as_py())


# analysis -> name of the file -> the table it draws, and how; figures are loaded when they draw
_FIGURES: dict[str, dict[str, tuple[str, Callable[[Result], "go.Figure"]]]] = {
    "similarity": {"similarity": ("similarity", lambda r: figures.cka_map(r))},
    "projection": {
        "projection": ("projection", lambda r: _projection(r, film=False)),
        "projection-film": ("projection", lambda r: _projection(r, film=True)),
    },
    "profile": {"profile": ("profile", lambda r: figures.profile_lines(r))},
    "lens": {"lens": ("lens", _lens)},
    "depth": {
        "contributions": ("layers", lambda r: figures.depth_contributions(r)),
        "directions": ("layers", lambda r: figures.depth_contributions(r, measure="cosine")),
        "skip-current": ("skip", lambda r: figures.depth_skip_map(r)),
        "skip-future": ("skip", lambda r: figures.depth_skip_map(r, mode="future")),
        "output": ("output", lambda r: figures.depth_output_bars(r)),
        "lens": ("lens", lambda r: figures.depth_lens(r)),
    },
    "hops": {"scores": ("scores", lambda r: figures.depth_scores(r))},
    "maps": {
        "erasure": ("erasure", lambda r: figures.erasure_map(r)),
        "attribution": ("attribution", lambda r: figures.attribution_map(r)),
    },
    "layer_map": {"map": ("map", lambda r: figures.layer_map(r))},
    "quantization": {
        "curve": ("curve", lambda r: figures.budget_curve(r)),
        "scores": ("scores", lambda r: figures.layer_scores(r)),
        "widths": ("widths", lambda r: figures.width_lines(r)),
    },
    "preferences": {
        "map": ("persons", lambda r: figures.taste_map(r)),
        "accuracy": ("accuracy", lambda r: figures.taste_accuracy(r)),
        "fewshot": ("fewshot", lambda r: figures.taste_fewshot(r)),
        "likes": ("options", lambda r: figures.taste_likes(r)),
        "people": ("persons", lambda r: figures.taste_divisions(r)),
        "calibration": ("calibration", lambda r: figures.taste_calibration(r)),
    },
    "preference_layers": {"layers": ("layers", lambda r: figures.taste_layers(r))},
    "raters": {
        "ruler": ("items", lambda r: figures.wright_map(r)),
        "severity": ("raters", lambda r: figures.rater_severities(r)),
        "fit": ("raters", lambda r: figures.rater_fit(r)),
        "items": ("items", lambda r: figures.item_scores(r)),
        "curves": ("curves", lambda r: figures.criterion_curves(r)),
        "residuals": ("cells", lambda r: figures.rater_residuals(r)),
        "interactions": ("interactions", lambda r: figures.interaction_forest(r)),
        "before-after": ("before_after", lambda r: figures.measures_before_after(r)),
    },
    "rated_texts": {
        "scores": ("predictions", lambda r: figures.rated_scores(r)),
        "layers": ("layers", lambda r: figures.rated_layers(r)),
        "components": ("components", lambda r: figures.rated_components(r)),
        "calibration": ("calibration", lambda r: figures.rated_calibration(r)),
    },
    "complexity": {
        "map": ("features", lambda r: figures.feature_map(r)),
        "importance": ("features", lambda r: figures.feature_scatter(r)),
        "layers": ("readability", lambda r: figures.feature_heat(r)),
        "clusters": ("clusters", lambda r: figures.feature_clusters(r)),
        "flow": ("flow", lambda r: figures.feature_flow(r)),
        "ablation": ("ablation", lambda r: figures.feature_ablation(r)),
        "ladder": ("ladder", lambda r: figures.feature_ladder(r)),
        "tree": ("branches", lambda r: figures.feature_tree_map(r)),
    },
    "collapse": {
        "course": ("trajectory", lambda r: figures.collapse_course(r)),
        "heat": ("trajectory", lambda r: figures.collapse_heat(r)),
        "depth": ("trajectory", lambda r: figures.collapse_depth(r)),
        "layers": ("trajectory", lambda r: figures.collapse_layers(r)),
        "film": ("plane", lambda r: figures.collapse_film(r)),
        "plane": ("plane", lambda r: figures.collapse_plane(r, epoch=r.scalars["last_epoch"])),
        "angles": (
            "cosines",
            lambda r: figures.collapse_cosines(r, epoch=r.scalars["last_epoch"]),
        ),
        "classes": (
            "classes",
            lambda r: figures.collapse_classes(r, epoch=r.scalars["last_epoch"]),
        ),
        "steps": ("steps", lambda r: figures.collapse_steps(r)),
    },
    "decay_study": {"study": ("trajectory", lambda r: figures.collapse_study(r))},
    "feature_learning": {
        "training": ("training", lambda r: figures.feature_training(r)),
        "late": ("features", lambda r: figures.feature_scatter(r, y="time_to_decode")),
    },
    "feature_match": {
        "complexities": ("features", lambda r: figures.feature_match_distributions(r)),
        "pairs": ("pairs", lambda r: figures.feature_match_pairs(r)),
        "in-other": (
            "pairs",
            lambda r: figures.feature_match_pairs(r, against="complexity_in_other"),
        ),
    },
    "harshness": {"steps": ("steps", lambda r: figures.harshness_steps(r))},
    "whatif": {
        "next": ("next", lambda r: figures.next_tokens(r)),
        "tokens": ("tokens", lambda r: figures.token_losses(r)),
    },
}


def _move(part: Path, folder: Path, names: list[str]) -> list[Path]:
    """Put the finished files in place, the record last: it never names one that is missing."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for old in _written_before(folder) - set(names):
        (folder / old).unlink(missing_ok=True)
    for name in (*names[1:], names[0]):
        os.replace(part / name, folder / name)
    if not any((folder / "figures").iterdir()):
        shutil.rmtree(folder / "figures")
    return [folder / name for name in names]


def _written_before(folder: Path) -> set[str]:
    """The files that an earlier result's record names, as far as they lie in this folder."""
    try:
        listed = list(json.loads((folder / _RECORD).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    plain = {name for name in listed if isinstance(name, str)}
    return {n for n in plain if Path(n).parts in ((Path(n).name,), ("figures", Path(n).name))}
