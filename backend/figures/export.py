"""Figures as files, each with its provenance inside.

HTML and JSON need nothing; SVG, PNG and PDF need a Chrome or Chromium on this machine.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from backend.figures import browser, record
from backend.figures.browser import BrowserMissing, close
from backend.figures.paper import PX_PER_MM, for_paper
from backend.figures.record import read_provenance
from backend.figures.theme import PLOTLY_CONFIG

WIDTH_MM = 178  # two columns; one column is 85


@dataclass(frozen=True)
class Saved:
    """Which files were written, and which were not and why."""

    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()


def to_html(fig: go.Figure) -> str:
    """A page that works offline: plotly.js (5 MB) is inside."""
    config = dict(PLOTLY_CONFIG)  # plotly takes entries out of it
    page = fig.to_html(include_plotlyjs=True, full_html=True, config=config)
    return record.into_html(page, _provenance(fig), title=_title(fig))


def to_json(fig: go.Figure) -> str:
    """The exact figure; `layout.meta` is its provenance."""
    return fig.to_json()


def to_svg(
    fig: go.Figure,
    *,
    width_mm: float = WIDTH_MM,
    height_mm: float | None = None,
    width_px: int | None = None,
) -> str:
    """Vector graphics in the print theme; one CSS pixel is 1/96 inch.

    Raises
    ------
    BrowserMissing : no Chrome or Chromium could be started.
    """
    svg = _draw(fig, "svg", width_mm, height_mm, width_px, 1.0).decode()
    return record.into_svg(svg, _provenance(fig))


def to_png(
    fig: go.Figure,
    *,
    width_mm: float = WIDTH_MM,
    height_mm: float | None = None,
    width_px: int | None = None,
    dpi: float = 300,
) -> bytes:
    """Pixels in the print theme, `dpi` to the inch; raises as `to_svg`."""
    png = _draw(fig, "png", width_mm, height_mm, width_px, dpi / 96)
    return record.into_png(png, _provenance(fig), dpi=dpi)


def to_pdf(
    fig: go.Figure,
    *,
    width_mm: float = WIDTH_MM,
    height_mm: float | None = None,
    width_px: int | None = None,
) -> bytes:
    """One page of exactly the figure's size; raises as `to_svg`."""
    pdf = _draw(fig, "pdf", width_mm, height_mm, width_px, 1.0)
    return record.into_pdf(pdf, _provenance(fig), title=_title(fig))


def save_all(fig: go.Figure, folder: Path, name: str) -> Saved:
    """Write `name`.html and .json, and .svg and .png where a browser is there.

    Each file appears whole or not at all.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        _write(folder / f"{name}.html", to_html(fig).encode()),
        _write(folder / f"{name}.json", to_json(fig).encode()),
    ]
    try:
        files.append(_write(folder / f"{name}.svg", to_svg(fig).encode()))
        files.append(_write(folder / f"{name}.png", to_png(fig)))
    except BrowserMissing as missing:
        have = {path.suffix for path in files}
        lost = [f"{name}{end}: {missing}" for end in (".svg", ".png") if end not in have]
        return Saved(tuple(files), tuple(lost))
    return Saved(tuple(files))


def _write(path: Path, data: bytes) -> Path:
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
    return path


def _draw(
    fig: go.Figure,
    form: str,
    width_mm: float,
    height_mm: float | None,
    width_px: int | None,
    scale: float,
) -> bytes:
    width = width_px or round(width_mm * PX_PER_MM)
    height = None if height_mm is None else round(height_mm * PX_PER_MM)
    ready, height = for_paper(fig, width=width, height=height)
    return browser.draw(ready.to_plotly_json(), form=form, width=width, height=height, scale=scale)


def _provenance(fig: go.Figure) -> dict:
    return fig.layout.meta if isinstance(fig.layout.meta, dict) else {}


def _title(fig: go.Figure) -> str:
    return record.html.unescape(fig.layout.title.text or "Penultimate")


__all__ = [
    "PLOTLY_CONFIG",
    "BrowserMissing",
    "Saved",
    "close",
    "read_provenance",
    "save_all",
    "to_html",
    "to_json",
    "to_pdf",
    "to_png",
    "to_svg",
]
