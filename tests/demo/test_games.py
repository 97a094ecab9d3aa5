"""Photographs of learning games, from made-up stamps and bundles."""

import io

import numpy as np
import pytest
from PIL import Image

from backend.demo import games
from tests.data.files import image
from tests.demo.gamefiles import disc, noise, stamp, write_gcompris, write_tuxpaint


@pytest.fixture
def tuxpaint(tmp_path):
    return write_tuxpaint(tmp_path / "tux")


@pytest.fixture
def gcompris(tmp_path):
    return write_gcompris(tmp_path / "gc")


def test_stamps_are_photographs_only_with_caption_and_place(tuxpaint):
    assert games.stamps(tuxpaint).table.to_pylist() == [
        {"file": "animals/cats/tom-2.png", "label": "tom", "caption": "A black and white cat.",
         "category": "animals", "kind": "cats"},
        {"file": "town/7_postBox.png", "label": "post box", "caption": None, "category": "town",
         "kind": None},
    ]  # fmt: skip


def test_a_stamp_stands_on_a_grey_square(tuxpaint):
    first = Image.open(io.BytesIO(list(games.stamps(tuxpaint).media)[0]))
    pixels = np.asarray(first)
    assert pixels.shape == (101, 101, 3)  # 91 and a margin of 5 on each side
    grey = (pixels == games.GREY).all(axis=-1)
    inside = np.zeros((101, 101), bool)
    inside[15:86, 5:96] = disc(71, 91) == 255
    assert (grey == ~inside).all()
    assert (pixels[inside] == noise(71, 91)[disc(71, 91) == 255]).all()


def test_half_clear_pixels_are_blended_and_the_clear_border_is_cut_off(tmp_path):
    alpha = np.zeros((80, 120))
    alpha[8:72, 20:84] = 255
    alpha[8, 20:84] = 51
    path = tmp_path / "x.png"
    stamp(path, np.zeros((80, 120, 3)), alpha)
    pixels = np.asarray(Image.open(io.BytesIO(games._on_grey(path))))
    assert pixels.shape == (72, 72, 3)  # 64 and 4 on each side
    assert abs(int(pixels[4, 10, 0]) - 0.8 * games.GREY) <= 1
    assert (pixels[5:68, 4:68] == 0).all()


def test_a_third_of_equal_neighbours_makes_a_drawing(tmp_path):
    pixels = noise(64, 64)
    counts = {}
    for doubled in (0, 16, 48):
        flat = pixels.copy()
        flat[:doubled] = 7
        stamp(tmp_path / f"{doubled}.png", flat, np.full((64, 64), 255))
        counts[doubled] = games._is_photo(tmp_path / f"{doubled}.png")
    assert counts == {0: True, 16: True, 48: False}


@pytest.mark.parametrize(
    "stem, label",
    [
        ("greatWall", "great wall"), ("heron_great-blue", "heron great blue"), ("lion-2", "lion"),
        ("flower10", "flower"), ("fireman240a", "fireman"), ("grave-b", "grave"),
        ("2_venus", "venus"), ("747", "747"), ("koala", "koala"), ("camera_35mm", "camera 35mm"),
        ("f22_raptor", "f22 raptor"), ("UKFlag", "ukflag"),
    ],
)  # fmt: skip
def test_labels_come_from_names(stem, label):
    assert games.label_of(stem) == label


def test_shown_is_the_share_that_is_not_grey():
    pixels = np.full((8, 8, 3), games.GREY, np.uint8)
    pixels[:, 4:, 1] += 1  # another colour, if only just
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="png")
    squares = np.array([[0, 0, 8], [0, 2, 4], [4, 0, 4], [3, 1, 2]])
    np.testing.assert_allclose(games.shown(out.getvalue(), squares), [0.5, 0, 1, 0.5])


def test_scenes_come_once_with_label_and_category(gcompris):
    material = games.scenes(gcompris)
    assert material.table.to_pylist() == [
        {"file": "categorization/tools/hammer2.webp", "label": "hammer", "category": "tools"},
        {"file": "explore_farm_animals/animals/cow.webp", "label": "cow", "category": "animals"},
        {"file": "explore_monuments/india/taj.webp", "label": "taj", "category": "monuments"},
    ]
    assert list(material.media)[:2] == [image(2, form="WEBP"), image(3, form="WEBP")]
