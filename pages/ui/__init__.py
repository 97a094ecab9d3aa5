"""The Streamlit code that pages share."""

from ui.bench import ROWS, Bench, bench, pick
from ui.drawing import show, strip, table, thumbnail
from ui.export import badge, claims, provenance, reopened
from ui.inspector import cloud, inspector
from ui.opening import gate, guarded, head, workbench
from ui.points import cloud_figure, colour_columns, selection, sites_of
from ui.waiting import ACTIVE, answer, bar, do, follow, progress, start

__all__ = [
    "ACTIVE",
    "Bench",
    "ROWS",
    "answer",
    "badge",
    "bar",
    "bench",
    "claims",
    "cloud",
    "cloud_figure",
    "colour_columns",
    "do",
    "follow",
    "gate",
    "guarded",
    "head",
    "inspector",
    "pick",
    "progress",
    "provenance",
    "reopened",
    "selection",
    "show",
    "sites_of",
    "start",
    "strip",
    "table",
    "thumbnail",
    "workbench",
]
