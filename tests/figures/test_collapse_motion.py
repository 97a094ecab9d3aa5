"""The film: frames for all epochs, points that move, and dots on the curves."""

import numpy as np
import pytest

from backend.figures import collapse_film, palette, read_provenance, to_html
from tests.figures.collapse_results import EPOCHS, collapse, nc1


@pytest.fixture(scope="module")
def film():
    return collapse_film(collapse())


def test_a_frame_for_each_epoch_under_one_slider(film):
    assert [f.name for f in film.frames] == [str(e) for e in EPOCHS]
    steps = film.layout.sliders[0].steps
    assert [s.label for s in steps] == [f"epoch {e}" for e in EPOCHS]
    assert steps[3].args[0] == ("5",)
    assert [b.label for b in film.layout.updatemenus[0].buttons] == ["Play", "Pause"]


def test_every_frame_moves_the_same_marks_and_dots(film):
    assert len({f.traces for f in film.frames}) == 1
    assert len(film.frames[0].traces) == 3 * 3 + 4  # classes x kinds, and a dot set for each panel
    for at, data in zip(film.frames[0].traces, film.frames[0].data, strict=True):
        shown = film.data[at]
        assert list(shown.x) == list(data.x) and list(shown.y) == list(data.y)
    assert film.data[film.frames[0].traces[0]].xaxis in (None, "x")


def test_samples_shrink_to_the_corner(film):
    first, last = (
        np.hypot(np.array(f.data[0].x), np.array(f.data[0].y) - 1) for f in
        (film.frames[0], film.frames[-1])
    )  # fmt: skip
    assert first == pytest.approx(5, abs=1e-5) and last == pytest.approx(5 / 3**5, abs=1e-5)
    assert film.layout.xaxis.range == (-2.4, 2.4)


def test_dots_stand_on_the_curves_at_the_epoch_shown(film):
    dots = film.frames[2].data[9]  # NC1 and NC1~ at epoch 2
    assert list(dots.x) == [2, 2]
    assert dots.y == pytest.approx([nc1(2, 2), 2 * nc1(2, 2)])
    assert film.frames[0].data[9].x[0] == 0.5  # epoch 0
    assert [len(d.x) for d in film.frames[0].data[9:]] == [2, 3, 1, 2]
    assert film.data[film.frames[0].traces[9]].marker.color == palette.SELECTED


def test_the_small_print_counts_the_dots_that_are_out_of_the_frame(film):
    said = film.layout.title.subtitle.text
    assert "of 24 dots out of the frame (epoch 0)" in said
    assert "training error 0 from epoch 5" in said
    result = collapse()
    assert read_provenance(to_html(film).encode(), "a.html") == result.provenance
