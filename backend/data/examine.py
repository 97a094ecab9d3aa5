"""Decoding media files once, so that a data set holds whole ones only."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from backend.data.media import HEAD_BYTES, MediaKind, check_audio, check_image, media_kind
from backend.data.progress import Progress, report
from backend.errors import DataError

Item = tuple[str, Callable[[], bytes]]  # a name for messages, and what reads the bytes

_MAJORITY = 2 / 3
_FACTS = {
    "image": {"width": pa.int64(), "height": pa.int64()},
    "audio": {"seconds": pa.float64(), "sample_rate": pa.int64()},
}


@dataclass(frozen=True)
class Examined:
    """Which items are whole, and what decoding told about them."""

    kept: tuple[int, ...]  # places in the list of items
    facts: pa.Table  # one row per kept item: width and height, or seconds and sample_rate
    rejected: tuple[tuple[str, str], ...]


def examine(
    items: Sequence[Item], *, kind: MediaKind, where: str, progress: Progress | None = None
) -> Examined:
    """Decode each item; leave out, by name, what is damaged or of another kind.

    Raises
    ------
    DataError : not one item is whole.
    """
    kept, facts, rejected = [], [], []
    for place, outcome in enumerate(_outcomes(items, kind)):
        report(progress, place + 1, len(items), "decoding")
        if isinstance(outcome, str):
            rejected.append((items[place][0], outcome))
        else:
            kept.append(place)
            facts.append(outcome)
    if not kept:
        name, why = rejected[0]
        raise DataError(
            f"{where}: not one of {len(items)} files can be used; {name}: {why}",
            "Give whole image or audio files.",
        )
    columns = zip(*facts, strict=True)
    names = _FACTS[kind]
    arrays = [pa.array(c, t) for c, t in zip(columns, names.values(), strict=True)]
    return Examined(tuple(kept), pa.table(arrays, names=list(names)), tuple(rejected))


def majority_kind(counts: dict[str, int], *, where: str) -> MediaKind:
    """The kind of at least two thirds of the files; the others are then left out by name.

    Raises
    ------
    DataError : images and sounds are too evenly mixed to tell which are meant.
    """
    total = sum(counts.values())
    for kind in ("image", "audio"):
        if counts.get(kind, 0) >= _MAJORITY * total > 0:
            return kind
    raise DataError(
        f"{where} mixes {counts.get('image', 0)} images and {counts.get('audio', 0)} audio files.",
        "Give them as two data sets.",
    )


def _outcomes(items: Sequence[Item], kind: MediaKind) -> Iterator[tuple | str]:
    # Decoders let go of the interpreter lock; few items are in flight, so memory stays flat.
    n_threads = min(8, os.cpu_count() or 1)
    waiting: deque[Future] = deque()
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            for _, load in items:
                waiting.append(pool.submit(_outcome, load, kind))
                if len(waiting) > 2 * n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _outcome(load: Callable[[], bytes], kind: MediaKind) -> tuple | str:
    try:
        data = load()
        if not data:
            return "is empty"
        found = media_kind(data[:HEAD_BYTES])
        if found is None:
            return "its content is not a known image or audio format"
        if found != kind:
            return f"is {found} among {kind} files"
        return check_image(data) if kind == "image" else check_audio(data)
    except DataError as error:
        return error.what
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
