"""The one look of all figures: templates, titles, the small print, numbers as text."""

import html
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio

from backend.figures import palette
from backend.figures.sites import site_label

Mode = Literal["light", "dark", "print"]
# Streamlit serves Source Sans, whose figures are tabular; the rest stand in for it elsewhere
FONT = '"Source Sans", "Source Sans 3", "Source Sans Pro", "Segoe UI", Arial, sans-serif'
MONO = "Source Code Pro, Menlo, Consolas, DejaVu Sans Mono, monospace"
TEMPLATES: dict[Mode, str] = {
    "light": "penultimate",
    "dark": "penultimate_dark",
    "print": "penultimate_print",
}
_INK = {  # paper, text, grid, axis line
    "light": ("#FFFFFF", "#1F2630", "#E8EBEE", "#C3CAD1"),
    "dark": ("#14181D", "#E2E7EC", "#262D35", "#46505A"),
    "print": ("#FFFFFF", "#000000", "#E3E6E9", "#555B61"),
}
_MARGIN = {"l": 64, "r": 24, "t": 92, "b": 82, "pad": 0}
FOOTER = "penultimate"

PLOTLY_CONFIG: dict = {  # for st.plotly_chart(fig, config=..., theme=None) and HTML files
    "displaylogo": False,
    "scrollZoom": True,
    "responsive": True,
    "toImageButtonOptions": {"format": "svg", "filename": "penultimate"},
    "modeBarButtonsToRemove": ["sendChartToCloud", "autoScale2d"],
    "showSendToCloud": False,  # plotly.js 4 shows the button unless told not to
    "plotlyServerURL": "",
}


def _template(mode: Mode) -> go.layout.Template:
    paper, text, grid, line = _INK[mode]
    size = 11 if mode == "print" else 12
    axis = {
        "gridcolor": grid,
        "linecolor": line,
        "tickcolor": line,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickfont": {"size": size - 1},
        "title": {"font": {"size": size}, "standoff": 8},
    }
    corner = {name: axis[name] for name in ("gridcolor", "linecolor", "tickcolor", "tickfont")}
    bar = {
        "thickness": 12,
        "outlinewidth": 0,
        "ticklen": 3,
        "tickfont": {"size": size - 1},
        "title": {"side": "right", "font": {"size": size}},
    }
    layout = {
        "font": {"family": FONT, "size": size, "color": text},
        "paper_bgcolor": paper,
        "plot_bgcolor": paper,
        "colorway": palette.CATEGORIES,
        "coloraxis": {"colorbar": bar},
        "xaxis": axis,
        "yaxis": axis,
        "ternary": {"bgcolor": paper} | dict.fromkeys(("aaxis", "baxis", "caxis"), corner),
        "margin": _MARGIN,
        "title": _title_style(size),
        "legend": {"itemsizing": "constant", "font": {"size": size - 1}, "tracegroupgap": 2},
        **_interaction_style(paper, text, line),
    }
    data = {"heatmap": [{"colorbar": bar}], "scatter": [{"marker": {"colorbar": bar}}]}
    return go.layout.Template(layout=layout, data=data)


def _title_style(size: int) -> dict:
    """Title and small print at the top left of the whole figure."""
    return {
        "x": 0,
        "xref": "container",
        "xanchor": "left",
        "y": 1,
        "yref": "container",
        "yanchor": "top",
        "pad": {"l": 14, "t": 12},
        "font": {"size": size + 3, "weight": 600},
        "subtitle": {"font": {"size": size - 1, "color": palette.MUTED}},
    }


def _interaction_style(paper: str, text: str, line: str) -> dict:
    """Hover boxes, the row of buttons and selections."""
    font = {"family": FONT, "size": 12, "color": text}
    return {
        "colorscale": {
            "sequential": palette.scale(palette.LAYER_RAMP),
            "diverging": palette.scale(palette.DIVERGING),
        },
        "hoverlabel": {"bgcolor": paper, "bordercolor": line, "align": "left", "font": font},
        "modebar": {
            "bgcolor": "rgba(0,0,0,0)",
            "color": palette.CONTROL,
            "activecolor": palette.SELECTED,
        },
        "newselection": {"line": {"color": palette.SELECTED, "width": 1.5}},
        "activeselection": {"fillcolor": palette.SELECTED, "opacity": 0.12},
    }


for _mode, _name in TEMPLATES.items():
    pio.templates[_name] = _template(_mode)


def set_mode(fig: go.Figure, mode: Mode) -> go.Figure:
    """Dress the figure for the light page, the dark page or paper; returns the same figure."""
    fig.layout.template = TEMPLATES[mode]
    return fig


def finish(
    fig: go.Figure,
    title: str,
    provenance: Mapping[str, object],
    *,
    n: object = None,
    sample: list[str] | None = None,
    site: str | None = None,
    n_blocks: int = 0,
    drawn: tuple[int, int] | None = None,
    note: str = "",
) -> go.Figure:
    """Give the figure its title, its small print and its full provenance; returns the same figure.

    Parameters
    ----------
    provenance : as in `Result.provenance`; the whole of it goes into `fig.layout.meta`.
    n : rows that this figure rests on, where they are not all that the provenance counts.
    sample : phrases that take the place of n, pooling, dtype and seed.
    site, n_blocks : the one site that is shown, if it is one.
    drawn : (points drawn, points there are), where not all are drawn.
    note : one more short remark for the subtitle.
    """
    first = sample or describe_sample(provenance if n is None else {**provenance, "n": n})
    if site is not None:
        first.insert(1, site_label(site, n_blocks))
    if drawn is not None and drawn[0] < drawn[1]:
        first.insert(1, f"{count(drawn[0])} of {count(drawn[1])} points drawn")
    lines = [" · ".join(part) for part in (first, [*describe_source(provenance), note]) if part]
    subtitle = "<br>".join(line.strip(" ·") for line in lines)
    fig.update_layout(
        title={"text": plain(title, 160), "subtitle": {"text": subtitle}},
        meta=jsonable(dict(provenance)),
        template=TEMPLATES["light"],
    )
    _add_footer(fig, footer_text(provenance))
    return fig


def _add_footer(fig: go.Figure, text: str) -> None:
    """The small mark in the lower right corner, below the axes' titles."""
    fig.add_annotation(
        name="footer",
        text=text,
        x=1,
        y=0,
        xref="paper",
        yref="paper",
        xanchor="right",
        yanchor="bottom",
        yshift=-(fig.layout.margin.b or _MARGIN["b"]) + 3,
        showarrow=False,
        font={"size": 9.5, "color": palette.MUTED, "family": MONO},
    )


def footer_text(provenance: Mapping[str, object]) -> str:
    """The visible mark from which a picture can be traced: `penultimate <12 digits of key>`."""
    key = str(provenance.get("key") or "")[:12]
    return f"{FOOTER} {plain(key)}".strip()


def describe_sample(provenance: Mapping[str, object]) -> list[str]:
    """n (of how many), pooling, dtype and seed, each as a short phrase."""
    parts = []
    n, of = provenance.get("n"), provenance.get("of")
    if n is not None:
        parts.append(f"n {count(n)}" + (f" of {count(of)}" if of not in (None, n) else ""))
    if pooling := provenance.get("pooling"):
        parts.append(f"{plain(pooling)} pooling")
    if dtype := provenance.get("dtype"):
        parts.append(plain(dtype))
    if (seed := provenance.get("seed")) is not None:
        parts.append(f"seed {plain(seed)}")
    return parts


def describe_source(provenance: Mapping[str, object]) -> list[str]:
    """Models with short revisions, data, and the what-if if there is one."""
    parts = [" and ".join(model_names(provenance))]
    if data := provenance.get("data_name") or provenance.get("data"):
        parts.append(plain(data, 60))
    if whatif := provenance.get("whatif"):
        parts.append(f"what-if: {plain(whatif, 60)}")
    return [part for part in parts if part]


def model_refs(provenance: Mapping[str, object]) -> list[str]:
    """The models of a result as the user named them."""
    found = provenance.get("models") or []
    return [str(m.get("ref", "")) if isinstance(m, Mapping) else str(m) for m in found]  # type: ignore[attr-defined]


def model_names(provenance: Mapping[str, object]) -> list[str]:
    """The models of a result with seven digits of revision or content id, ready to show.

    A folder goes by its title where the provenance has one.
    """
    names = []
    for ref, model in zip(model_refs(provenance), provenance.get("models") or [], strict=True):  # type: ignore[call-overload]
        if isinstance(model, Mapping) and model.get("title") and ref.startswith(("/", "~")):
            ref = str(model["title"])  # a path says less than what lies there
        name, at, revision = ref.rpartition("@")
        if not at:
            name, revision = ref, str(model.get("id", "")) if isinstance(model, Mapping) else ""
        names.append(plain(f"{name}@{revision[:7]}" if revision else name, 60))
    return names


def plain(text: object, most: int = 200) -> str:
    """Text of models and users as plotly may show it: one line, no markup, not too long."""
    line = " ".join(str(text).split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    return html.escape(line, quote=False)


def count(value: object) -> str:
    """A whole number in groups of three: 20 000."""
    return f"{int(value):,}".replace(",", " ")  # type: ignore[call-overload]


def number(value: float | None) -> str:
    """A number with three significant digits; "–" where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-3 or size >= 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if size >= 999.5:
        return count(float(f"{value:.3g}"))
    return f"{value:#.3g}".rstrip(".")


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.873 (0.861 to 0.884)`, or the number alone where there is no interval."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return number(value)
    return f"{number(value)} ({number(low)} to {number(high)})"


def jsonable(value: object) -> object:
    """The value in JSON's own types: numpy scalars unpacked, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
