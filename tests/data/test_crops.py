"""Crops: where they lie, what they show, and that equal seeds cut alike."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from backend.data.crops import MOST, crops, cut, write_crops
from backend.data.dataset import open_dataset, write_dataset
from backend.errors import DataError


def ramp(width: int, height: int) -> bytes:
    """A picture whose red tells the column and whose green tells the line."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    out = io.BytesIO()
    pixels = np.stack([x, y, np.full_like(x, 128)], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


PICTURES = [ramp(200, 100), ramp(90, 180), ramp(120, 120)]
TABLE = pa.table({"file": ["a", "b", "c"], "label": ["x", "y", None]})


def made(**options):
    return cut(TABLE, PICTURES.__getitem__, **options)


def test_every_picture_gives_as_many_in_three_sizes():
    table, files = made(per_image=20)
    rows = table.to_pylist()
    assert len(rows) == len(list(files)) == 60
    assert table.column_names == ["file", "label", "picture", "left", "top", "side"]
    assert [r["picture"] for r in rows] == [0] * 20 + [1] * 20 + [2] * 20
    assert rows[0]["file"] == "a" and rows[59]["label"] is None
    sides = np.array([r["side"] for r in rows]).reshape(3, 20)
    for some, shorter in zip(sides, (100, 90, 120), strict=True):
        wanted = {round(0.6 * shorter): 6, round(0.4 * shorter): 7, round(0.25 * shorter): 7}
        assert dict(zip(*np.unique(some, return_counts=True), strict=True)) == wanted


def test_a_crop_shows_its_place():
    table, files = made(per_image=9, sides=(0.5, 0.3), largest=128)
    for row, data in zip(table.to_pylist(), files, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(data))).astype(float)
        assert data[:2] == b"\xff\xd8" and pixels.shape == (row["side"], row["side"], 3)
        middle = (row["side"] - 1) / 2
        assert pixels[..., 0].mean() == pytest.approx(row["left"] + middle, abs=2)
        assert pixels[..., 1].mean() == pytest.approx(row["top"] + middle, abs=2)


def test_large_crops_are_scaled_down():
    table, files = made(per_image=2, sides=(1.0, 0.2), largest=32)
    for row, data in zip(table.to_pylist(), files, strict=True):
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (min(32, row["side"]),) * 2
        red = np.asarray(picture)[..., 0].mean()
        assert red == pytest.approx(row["left"] + (row["side"] - 1) / 2, abs=2)


def test_crops_lie_inside_and_spread_over_the_picture():
    table, _ = made(per_image=48, sides=(0.25,))
    sizes = [(200, 100), (90, 180), (120, 120)]
    for row in table.to_pylist():
        width, height = sizes[row["picture"]]
        assert 0 <= row["left"] <= width - row["side"]
        assert 0 <= row["top"] <= height - row["side"]
    for number, (width, height) in enumerate(sizes):
        some = [r for r in table.to_pylist() if r["picture"] == number]
        free = np.array([width, height]) - some[0]["side"]
        at = np.array([(r["left"], r["top"]) for r in some]) / free
        quarters = np.unique((at >= 0.5) @ [1, 2], return_counts=True)[1]
        assert len(quarters) == 4 and quarters.min() >= 8  # 12 each if it were exact
        assert len(np.unique(at, axis=0)) == 48


def test_the_seed_says_where():
    first, files = made(per_image=12)
    again, same = made(per_image=12)
    assert first == again and list(files) == list(same)
    other, _ = made(per_image=12, seed=1)
    assert other["left"].to_pylist() != first["left"].to_pylist()
    # A picture is cut the same whatever stands behind it.
    alone, _ = cut(TABLE.slice(0, 1), PICTURES.__getitem__, per_image=12)
    assert alone == first.slice(0, 12)


def test_a_data_set_is_cut(tmp_path):
    data = write_dataset(tmp_path, TABLE, kind="image", name="Ramps", media=PICTURES)
    table, files = crops(data, per_image=6, seed=3)
    wanted, same = made(per_image=6, seed=3)
    assert table == wanted and list(files) == list(same)
    stored = write_dataset(
        tmp_path, table, kind="image", name="Crops", media=crops(data, per_image=6, seed=3)[1]
    )
    assert stored.n_rows == 18 and stored.columns == tuple(table.column_names)


def test_a_picture_of_one_place_gives_it_again_and_again():
    table, files = cut(TABLE.slice(2), lambda _: PICTURES[2], per_image=3, sides=(1.0,))
    assert set(table["left"].to_pylist()) == {0} and len(set(files)) == 1


def files_of(tmp_path, table):
    """The column `file` of crops, one value per picture."""
    data = write_dataset(tmp_path, table, kind="image", name="Ramps", media=PICTURES)
    table, _ = crops(data, per_image=3)
    return table["file"].to_pylist()[::3]


@pytest.mark.parametrize(
    ("columns", "files"),
    [
        ({"file": ["film", None, "film"]}, ["film", "picture 1", "film"]),  # frames go together
        ({"file": [7, 8, 9], "name": ["a", "b", "c"]}, ["7", "8", "9"]),
        ({"name": ["x/1.png", "x/2.png", "y/1.png"]}, ["x/1.png", "x/2.png", "y/1.png"]),
        ({"name": ["cat", "cat", "dog"]}, ["picture 0", "picture 1", "picture 2"]),
        ({"label": ["cat", "cat", "dog"]}, ["picture 0", "picture 1", "picture 2"]),
    ],
)
def test_rows_of_one_picture_have_one_file(tmp_path, columns, files):
    assert files_of(tmp_path, pa.table(columns)) == files


def test_crops_are_a_data_set_that_says_what_was_cut(tmp_path):
    data = write_dataset(
        tmp_path, TABLE, kind="image", name="Ramps", media=PICTURES, licence="CC0", notes=("Mine.",)
    )
    seen = []
    made = write_crops(tmp_path, data, per_image=6, seed=2, progress=lambda *at: seen.append(at))
    assert made == open_dataset(made.folder, verify=True)
    assert (made.name, made.kind, made.n_rows, made.licence) == ("Ramps, crops", "image", 18, "CC0")
    assert f"6 squares of each of the 3 pictures of Ramps ({data.hash[:12]})" in made.source
    assert "0.6, 0.4, 0.25" in made.source and "seed 2" in made.source
    assert "not independent" in made.notes[0] and made.notes[1] == "Mine."
    measured = [(row, 3, "measuring pictures") for row in range(3)]
    assert seen == measured + [(done, 18, "cutting crops") for done in (0, 6, 12)]
    assert made.table().drop("row") == crops(data, per_image=6, seed=2)[0]


@pytest.mark.parametrize(
    "options", [{"sides": ()}, {"sides": (0.0,)}, {"sides": (1.2,)}, {"per_image": 2}]
)
def test_sizes_that_cannot_be(options):
    with pytest.raises(DataError, match="cannot be"):
        made(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"per_image": MOST + 1}, "1001 crops of each picture"), ({"seed": -1}, "seed=-1 is out")],
)
def test_numbers_out_of_range(options, said):
    with pytest.raises(DataError, match=said):
        made(**options)


def test_what_cannot_be_cut(tmp_path):
    texts = write_dataset(tmp_path, pa.table({"text": ["a"]}), kind="text", name="Texts")
    with pytest.raises(DataError, match="'Texts' holds text, no pictures"):
        crops(texts)
    with pytest.raises(DataError, match="column 'side' already"):
        cut(TABLE.append_column("side", pa.array([1, 2, 3])), PICTURES.__getitem__)
