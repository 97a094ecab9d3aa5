"""The Streamlit code that pages share."""

from ui.bench import Bench, bench
from ui.changing import can_undo_whatif, put_whatif, undo_whatif
from ui.drawing import (
    HERO_HEIGHT,
    layer_states,
    legend_below,
    level_with_slider,
    show,
    strip,
)
from ui.export import badge, claims, provenance, reopened
from ui.filtering import forget
from ui.following import do, follow, start
from ui.inspector import cloud, inspector
from ui.judging import judged_bench
from ui.opening import gate, guarded, head, workbench
from ui.painting import paint_layers
from ui.picking import held, pick
from ui.playing import PACE_SECONDS, is_playing, play_button, step
from ui.points import cloud_figure, colour_columns, film_figure, sites_of
from ui.sampling import ROWS
from ui.selecting import selection, turn
from ui.tables import table
from ui.thumbnails import thumbnail
from ui.training import (
    is_training,
    labelled_pictures,
    recipe_text,
    running,
    runs,
    train_button,
    training_data,
    training_group,
    training_title,
)
from ui.waiting import ACTIVE, answer, bar, failure, kept, progress

__all__ = [
    "ACTIVE",
    "Bench",
    "HERO_HEIGHT",
    "PACE_SECONDS",
    "ROWS",
    "answer",
    "badge",
    "bar",
    "bench",
    "can_undo_whatif",
    "claims",
    "cloud",
    "cloud_figure",
    "colour_columns",
    "do",
    "failure",
    "film_figure",
    "follow",
    "forget",
    "gate",
    "guarded",
    "head",
    "held",
    "inspector",
    "is_playing",
    "is_training",
    "judged_bench",
    "kept",
    "labelled_pictures",
    "layer_states",
    "legend_below",
    "level_with_slider",
    "paint_layers",
    "pick",
    "play_button",
    "progress",
    "provenance",
    "recipe_text",
    "put_whatif",
    "reopened",
    "running",
    "runs",
    "selection",
    "show",
    "sites_of",
    "start",
    "step",
    "strip",
    "table",
    "thumbnail",
    "train_button",
    "training_data",
    "training_group",
    "training_title",
    "turn",
    "undo_whatif",
    "workbench",
]
