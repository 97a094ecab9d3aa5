"""The colours, each with one meaning on every page and in every figure.

All of them are of middle lightness, so that one set reads on white and on the dark page. The
categories were searched for under simulated protanopia, deuteranopia and tritanopia, away from
the accents; a test holds their smallest distance.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

BASELINE = "#5B7A99"  # grey-blue: the model as it is
WHATIF = "#D98200"  # amber: the model with a change
SELECTED = "#CF2E6F"  # the one accent for what is selected
ACCENTS = (BASELINE, WHATIF, SELECTED)
CONTROL = "#8A949E"  # grey: nulls, controls, "other"
UNSELECTED = "#AEB6BE"
MUTED = "#74808C"  # small print, readable on light and dark

CATEGORIES = (
    "#577DE5",
    "#D4BD22",
    "#8A297D",
    "#52AB83",
    "#A86B17",
    "#9CC0E6",
    "#6A552B",
    "#A996FC",
    "#47DA8F",
    "#574EB5",
)
# equal steps of lightness; light = shallow or low, dark = deep or high
LAYER_RAMP = (
    "#E9F3F1",
    "#C9E6E6",
    "#A0D3DA",
    "#76BCCF",
    "#54A3C4",
    "#3F88B7",
    "#3A6CA5",
    "#39518D",
    "#343A72",
    "#2B2557",
)
POINT_RAMP = LAYER_RAMP[2:9]  # its ends would vanish on white and on the dark page
DIVERGING = (
    "#045797",
    "#3D78B2",
    "#6E99C6",
    "#9EBBDA",
    "#CEDDEC",
    "#EED6CE",
    "#DDAE9E",
    "#CB8770",
    "#B65F40",
    "#9E3605",
)
OTHER = "other"
MISSING = "not given"


def scale(colours: Sequence[str]) -> list[list]:
    """A plotly colour scale with these colours at equal steps."""
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]


def fade(colour: str, alpha: float) -> str:
    """`#RRGGBB` with an opacity, as plotly writes it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def category_name(value: object) -> str:
    """A category as it is written in legends; missing values share one name."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return MISSING
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # whole numbers turn to floats in a column with gaps
    return str(value)


def category_colours(values: Iterable[object] | Mapping[object, int]) -> dict[str, str]:
    """One colour for each category, the same for the same set of values in any order.

    Up to ten categories take the palette in sorted order. Of more, the ten most frequent do (ties
    by name) and the rest are absent from the answer: they are drawn as grey "other". Give the
    values of the whole column (or their counts), not of a slice, so that colours hold across pages.
    """
    counts: Counter[str] = Counter()
    for value, count in values.items() if isinstance(values, Mapping) else Counter(values).items():
        counts[category_name(value)] += count
    missing = counts.pop(MISSING, 0)
    frequent = sorted(counts, key=lambda name: (-counts[name], name))[: len(CATEGORIES)]
    colours = dict(zip(sorted(frequent, key=_natural), CATEGORIES, strict=False))
    return colours | ({MISSING: UNSELECTED} if missing else {})


def _natural(name: str) -> tuple[int, float, str]:
    """Sort numbers by size and before words."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
