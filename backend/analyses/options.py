"""What is known of the options that people chose between: vectors, a layer, attributes."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError
from backend.preferences.choices import Choices

WITHOUT_VECTORS_MOST = 300  # options, beyond which each cannot have a parameter of its own
INPUTS = ("auto", "vectors", "layer", "attributes", "options")


@dataclass(frozen=True)
class OptionVectors:
    """Vectors X (M, d) of the items of choices, and C (Q, d') of their prompts where known."""

    X: np.ndarray
    C: np.ndarray | None
    origin: str  # in words, such as "final of demo:minilm, 32 of 384 dimensions"
    notes: tuple[str, ...] = ()


def option_vectors(
    choices: Choices, views: tuple[CaptureView, ...], also: Dataset | None, *, inputs: str,
    site: str = "", dimensions: int = 32, prompts: bool = False,
) -> OptionVectors:  # fmt: skip
    """Vectors of every item, centred and scaled to a mean squared length of 1.

    Parameters
    ----------
    inputs : where from; `auto` takes the first there is of a vectors file, a model's layer, the
        choices' own attributes, and else gives each option a direction of its own.
    site : which layer; empty = the deepest that was captured.
    dimensions : principal components to keep of files and layers; 0 = all.
    prompts : the form needs vectors of options and prompts apart (PAL-B).

    Raises
    ------
    AnalysisError : what is asked for is not there, or an option has no vector.
    """
    how = _choose(choices, views, also, inputs)
    if how == "attributes":
        assert choices.attributes is not None
        X, kept = _standardised(choices.attributes), choices.attributes.shape[1]
        return OptionVectors(_scaled(X), None, f"{kept} attributes, standardised")
    if how == "options":
        X = np.eye(len(choices.items))
        return OptionVectors(X, None, "each option a direction of its own")
    C = None
    if how == "vectors":
        assert also is not None
        found, origin = _file_vectors(also), also.name
        raw = _rows(found, list(choices.items), also.name)
    else:
        site = site or _deepest(views[0])
        raw, C = _layer_vectors(choices, views[0], site, prompts=prompts)
        origin = f"{site} of {views[0].model}"
    X, kept = _components(raw, dimensions)
    if C is not None:
        C = _scaled(_components(C, dimensions)[0])
    of = f", {kept} of {raw.shape[1]} dimensions" if kept < raw.shape[1] else ""
    return OptionVectors(_scaled(X), C, f"{origin}{of}")


def _choose(
    choices: Choices, views: tuple[CaptureView, ...], also: Dataset | None, inputs: str
) -> str:
    there = {
        "vectors": also is not None and also.kind == "vectors",
        "layer": bool(views),
        "attributes": choices.attributes is not None,
        "options": len(choices.items) <= WITHOUT_VECTORS_MOST,
    }
    if inputs == "auto":
        inputs = next((name for name, given in there.items() if given), "")
        if inputs:
            return inputs
        raise AnalysisError(
            f"Nothing describes the {len(choices.items):,} options.",
            "Name a model that reads their texts, or give a second table with item, x0, x1, ...",
        )
    if there[inputs]:
        return inputs
    remedy = {
        "vectors": "Give a second table with the columns item, x0, x1, ...",
        "layer": "Name a model.",
        "attributes": "Give number columns a_NAME and b_NAME.",
        "options": f"That takes at most {WITHOUT_VECTORS_MOST} options.",
    }
    raise AnalysisError(f"inputs={inputs!r} is not there for these choices.", remedy[inputs])


def _deepest(view: CaptureView) -> str:
    from backend.analyses.inputs import depth_order

    return depth_order(tuple(s for s in view.sites if s != "head") or view.sites)[-1]


def _file_vectors(data: Dataset) -> dict[str, np.ndarray]:
    table = data.table()
    names = sorted((n for n in table.column_names if n[0] == "x" and n[1:].isdigit()),
                   key=lambda n: int(n[1:]))  # fmt: skip
    X = np.column_stack([table[n].cast(pa.float64()).to_numpy() for n in names])
    items = table["item"].cast(pa.string()).to_pylist()
    if len(set(items)) < len(items):
        twice = next(name for name in items if items.count(name) > 1)
        raise AnalysisError(f"{data.name!r} has two vectors for {twice!r}.", "Keep one of them.")
    return dict(zip(items, X, strict=True))


def _layer_vectors(
    choices: Choices, view: CaptureView, site: str, *, prompts: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Vectors of the items at one site, and of the prompts where they are asked for."""
    table, V = view.table(), view.vectors(site)
    if not np.isfinite(V).all():
        raise AnalysisError(f"{view.model} has values at {site!r} that are not finite.",
                            "Capture it again with dtype float32.")  # fmt: skip
    if "role" not in table.column_names:  # pictures or texts that were brought along
        names = _names_of(table, view.dataset.name)
        return _rows(dict(zip(names, V, strict=True)), list(choices.items), view.dataset.name), None
    role = table["role"].to_pylist()
    option = [str(v) for v in table["item"].to_pylist()]
    if choices.prompts is None or choices.item_prompt is None:
        return _rows(dict(zip(option, V, strict=True)), list(choices.items), view.model), None
    asked = [str(v) for v in table["prompt"].to_pylist()]
    if prompts:
        alone = {o: v for o, r, v in zip(option, role, V, strict=True) if r == "option"}
        heard = {p: v for p, r, v in zip(asked, role, V, strict=True) if r == "prompt"}
        return (_rows(alone, list(choices.items), view.model),
                _rows(heard, list(choices.prompts), view.model))  # fmt: skip
    both = {(p, o): v for p, o, r, v in zip(asked, option, role, V, strict=True) if r == "pair"}
    prompt_of = choices.prompts[choices.item_prompt]
    return _rows(both, list(zip(prompt_of, choices.items, strict=True)), view.model), None


def _names_of(table: pa.Table, where: str) -> list[str]:
    """The options' names in a data set that was brought along; files without their ending."""
    for column in ("item", "option", "name"):
        if column in table.column_names:
            names = [str(v) for v in table[column].to_pylist()]
            return [PurePosixPath(n).stem for n in names] if column == "name" else names
    raise AnalysisError(f"{where!r} does not name its rows.", "Give it a column item.")


def _rows(found: dict, wanted: list, where: str) -> np.ndarray:
    """Vectors of the wanted names, float64 (m, d)."""
    lost = [name for name in dict.fromkeys(wanted) if name not in found]
    if lost:
        more = f" and {len(lost) - 1} others" if len(lost) > 1 else ""
        raise AnalysisError(
            f"{where} has no vector for {str(lost[0])[:80]!r}{more}.",
            "Give one for every option of the choices, by the same name.",
        )
    return np.array([found[name] for name in wanted], dtype=np.float64)


def _components(X: np.ndarray, most: int) -> tuple[np.ndarray, int]:
    """The rows along their first principal components, not whitened; and how many are kept."""
    if not most or most >= min(X.shape):
        return X, X.shape[1]
    centred = X - X.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, ::-1][:, :most], most


def _standardised(X: np.ndarray) -> np.ndarray:
    spread = X.std(axis=0)
    return (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _scaled(X: np.ndarray) -> np.ndarray:
    centred = X - X.mean(axis=0)
    size = np.sqrt(np.square(centred).sum(axis=1).mean())
    if size == 0:
        raise AnalysisError("All options have the same vector.", "Choose another layer or file.")
    return centred / size
