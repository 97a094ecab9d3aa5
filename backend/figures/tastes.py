"""Options, tastes and people in one picture: the plane in which tastes differ, or a ternary.

Reads the tables `options`, `prototypes` and `persons` of the analysis `preferences`.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import numbers, table_of, texts
from backend.preferences.placing import option_names

_SVG_MOST = 5000  # points, above which the browser's graphics card draws them
_NAMED = 30  # options that are named in the picture at the most


def taste_map(
    result: Result, *, colour: str = "taste", person: str = "", option: str = ""
) -> go.Figure:
    """Options (grey), people and prototypes in the plane that the prototypes span.

    Parameters
    ----------
    colour : `taste` (the strongest), `entropy`, or a covariate of the people.
    person, option : the one that is selected, framed.
    """
    options = table_of(result, "options", "option", "x", "y", "taken", "shown")
    people = table_of(result, "persons", "person", "x", "y", "n", "entropy")
    corners = table_of(result, "prototypes", "prototype", "x", "y", "share")
    fig = go.Figure()
    _add_options(fig, options, option)
    _add_people(fig, result, people, colour, "xy", person)
    _add_hull(fig, corners)
    _add_prototypes(fig, corners)
    fig.update_xaxes(title_text="across tastes", showgrid=False)
    fig.update_yaxes(title_text="second direction", showgrid=False, scaleanchor="x")
    fig.update_layout(uirevision="taste map")
    return _finish(fig, "Options, tastes and people", result)


def taste_ternary(result: Result, *, colour: str = "taste", person: str = "") -> go.Figure:
    """People's weights on three tastes: a corner is one taste alone, the middle all alike."""
    people = table_of(result, "persons", "person", "weight_0", "weight_1", "weight_2")
    if "weight_3" in people.column_names:
        raise AnalysisError("A ternary shows three tastes.", "Choose k=3, or the map.")
    fig = go.Figure()
    _add_people(fig, result, people, colour, "ternary", person)
    corner = {"showgrid": True, "ticks": "outside", "ticklen": 3, "min": 0}
    fig.update_layout(
        ternary={
            "sum": 1,
            "domain": {"y": [0, 0.94]},  # below the title
            **{
                f"{side}axis": corner | {"title": {"text": f"taste {i}"}}
                for i, side in enumerate("abc")
            },
        },
        uirevision="taste ternary",
    )
    return _finish(fig, "People between three tastes", result)


def _add_options(fig: go.Figure, options: pa.Table, chosen: str) -> None:
    x, y = numbers(options, "x"), numbers(options, "y")
    names, taken, shown = option_names(options), numbers(options, "taken"), options["shown"]
    assert x is not None and y is not None and taken is not None
    few = len(names) <= _NAMED
    kind = go.Scatter if len(names) <= _SVG_MOST else go.Scattergl
    fig.add_trace(
        kind(
            x=x,
            y=y,
            mode="markers+text" if few else "markers",
            name="options",
            text=[theme.plain(n, 18) for n in names] if few else None,
            textposition="top center",
            textfont={"size": 10, "color": palette.MUTED},
            marker={"size": 6 if few else 4.5, "color": palette.UNSELECTED, "symbol": "square"},
            customdata=[["option", name] for name in names],
            hovertext=[
                f"{theme.plain(name, 80)}<br>taken {100 * t:.0f} % of {n} times"
                for name, t, n in zip(names, taken, shown.to_pylist(), strict=True)
            ],
            hovertemplate="%{hovertext}<extra>option</extra>",
        )
    )
    if chosen in names:
        _frame(fig, x[names.index(chosen)], y[names.index(chosen)], "square-open")


def _add_people(
    fig: go.Figure, result: Result, people: pa.Table, colour: str, where: str, chosen: str
) -> None:
    """People as dots, one trace for each category, or one on a scale."""
    if colour not in people.column_names:
        raise AnalysisError(
            f"People have no column {colour!r}.", f"They have: {', '.join(people.column_names)}."
        )
    names = texts(people, "person")
    hover = [_said(people, i) for i in range(people.num_rows)]
    values = people[colour].to_pylist()
    is_scale = pa.types.is_floating(people[colour].type)
    if is_scale:
        marker = {
            "color": np.asarray(values, np.float32),
            "colorscale": palette.scale(palette.POINT_RAMP),
            "showscale": True,
            "colorbar": {"title": {"text": theme.plain(colour, 24)}},
        }
        groups = [("people", np.arange(len(names)), marker)]
    else:
        colours = palette.category_colours([palette.category_name(v) for v in values])
        labels = np.array([palette.category_name(v) for v in values], dtype=object)
        groups = [
            (f"{colour} {label}", np.flatnonzero(labels == label), {"color": shade})
            for label, shade in colours.items()
        ]
        rest = np.flatnonzero(~np.isin(labels, list(colours)))
        if len(rest):
            groups.append((palette.OTHER, rest, {"color": palette.CONTROL}))
    size = 9 if len(names) <= 200 else 6 if len(names) <= 2000 else 4
    for name, at, marker in groups:
        common: dict = {
            "mode": "markers",
            "name": theme.plain(name, 30),
            "marker": {"size": size, "opacity": 0.85} | marker,
            "customdata": [["person", names[i]] for i in at],
            "hovertext": [hover[i] for i in at],
            "hovertemplate": "%{hovertext}<extra>person</extra>",
        }
        if where == "ternary":
            W = [numbers(people, f"weight_{k}")[at] for k in range(3)]  # type: ignore[index]
            fig.add_scatterternary(a=W[0], b=W[1], c=W[2], **common)
        else:
            kind = go.Scatter if len(names) <= _SVG_MOST else go.Scattergl
            x, y = numbers(people, "x"), numbers(people, "y")
            fig.add_trace(kind(x=x[at], y=y[at], **common))  # type: ignore[index]
    if chosen in names and where != "ternary":
        at = names.index(chosen)
        _frame(fig, numbers(people, "x")[at], numbers(people, "y")[at], "circle-open")  # type: ignore[index]
    elif chosen in names:
        at = names.index(chosen)
        a, b, c = ([float(people[f"weight_{k}"][at].as_py())] for k in range(3))
        mark = {"size": 17, "symbol": "circle-open", "color": palette.SELECTED}
        fig.add_scatterternary(a=a, b=b, c=c, mode="markers", name="selected", marker=mark,
                               hoverinfo="skip")  # fmt: skip


def _said(people: pa.Table, i: int) -> str:
    """What a person's dot says: weights with intervals, choices, accuracy."""
    row = {name: people[name][i].as_py() for name in people.column_names}
    lines = [theme.plain(row["person"], 60)]
    k = 0
    while f"weight_{k}" in row:
        ends = (row[f"weight_{k}{end}"] for end in ("", "_low", "_high"))
        lines.append(f"taste {k}: {theme.interval(*ends)}")
        k += 1
    lines.append(f"{row['n']} choices")
    if row.get("accuracy") is not None:
        lines.append(f"held out: {theme.number(row['accuracy'])} right of {row['tested']}")
    return "<br>".join(lines)


def _add_hull(fig: go.Figure, corners: pa.Table) -> None:
    """A quiet line from prototype to prototype: people lie between them."""
    x, y = (corners[axis].to_pylist() for axis in "xy")
    pairs = [(i, j) for i in range(len(x)) for j in range(i)]
    fig.add_scatter(
        x=[v for i, j in pairs for v in (x[i], x[j], None)],
        y=[v for i, j in pairs for v in (y[i], y[j], None)],
        mode="lines",
        line={"color": palette.CONTROL, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
        name="hull",
    )


def _add_prototypes(fig: go.Figure, corners: pa.Table) -> None:
    shares = corners["share"].to_pylist()
    k = len(shares)
    colours = palette.category_colours([str(i) for i in range(k)])
    likes = texts(corners, "likes") if "likes" in corners.column_names else [""] * k
    fig.add_scatter(
        x=corners["x"].to_pylist(),
        y=corners["y"].to_pylist(),
        mode="markers+text",
        name="tastes",
        text=[f"<b>{i}</b>" for i in range(k)],
        textfont={"size": 11, "color": "#FFFFFF"},
        marker={
            "size": 24,
            "symbol": "diamond",
            "color": [colours[str(i)] for i in range(k)],
            "line": {"color": "#FFFFFF", "width": 1.5},
        },
        customdata=[["prototype", i] for i in range(k)],
        hovertext=[
            f"taste {i}: {theme.number(100 * s)} % of the weight"
            + (f"<br>likes {theme.plain(like, 60)}" if like else "")
            for i, (s, like) in enumerate(zip(shares, likes, strict=True))
        ],
        hovertemplate="%{hovertext}<extra>taste</extra>",
    )


def _frame(fig: go.Figure, x: float, y: float, symbol: str) -> None:
    fig.add_scatter(
        x=[float(x)],
        y=[float(y)],
        mode="markers",
        name="selected",
        marker={"size": 17, "symbol": symbol, "color": palette.SELECTED, "line": {"width": 2.5}},
        hoverinfo="skip",
        showlegend=False,
    )


def sample_of_choices(result: Result) -> list[str]:
    """What a figure of choices rests on: choices, people, options, their vectors, seed."""
    s = result.scalars
    parts = [f"n {theme.count(s['n'])} choices", f"{theme.count(s['persons'])} people",
             f"{theme.count(s['options'])} options"]  # fmt: skip
    if inputs := s.get("inputs"):
        parts.append(theme.plain(inputs, 60))
    return [*parts, *theme.describe_sample({"seed": result.provenance.get("seed")})]


def _finish(fig: go.Figure, title: str, result: Result) -> go.Figure:
    return theme.finish(fig, title, result.provenance, sample=sample_of_choices(result))
