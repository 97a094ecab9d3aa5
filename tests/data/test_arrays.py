"""Numpy archives: read as rows of arrays, handed back equal, refused where they could run code."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from backend.data import open_dataset
from backend.data.arrays import arrays_of
from backend.data.dataset import Dataset
from backend.data.sources import read_data
from backend.errors import DataError
from backend.settings import Settings


@pytest.fixture
def read(tmp_path):
    def run(path, **limits):
        settings = Settings(home=tmp_path / "home", **limits)
        return read_data(path, root=tmp_path / "root", settings=settings)

    return run


@pytest.fixture
def save(tmp_path):
    def make(name="a.npz", packed=False, **arrays):
        (np.savez_compressed if packed else np.savez)(tmp_path / name, **arrays)
        return tmp_path / name

    return make


def npy(array: np.ndarray, version=None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


ARRAYS = {
    "layer_0": np.arange(12.0).reshape(4, 3).astype(np.float32),
    "targets": np.asfortranarray(np.arange(8).reshape(4, 2)),
    "names": np.array(["a", "bcd"]),
    "seen": np.array([True, False]),
    "one": np.array(2.5),
    "none": np.zeros((0, 5), ">f8"),
    "maps": np.zeros((2, 3, 4), np.float16),
}


@pytest.mark.parametrize("packed", [False, True])
def test_an_archive_is_read_back_array_by_array(save, read, packed):
    dataset = read(save(packed=packed, **ARRAYS))
    assert (dataset.kind, dataset.name, dataset.n_rows) == ("arrays", "a", len(ARRAYS))
    assert dataset.columns == ("name", "shape", "dtype", "rows") and dataset.notes == ()
    assert Dataset.from_json(dataset.to_json()) == dataset
    assert open_dataset(dataset.folder, verify=True) == dataset
    rows = {row["name"]: row for row in dataset.table().to_pylist()}
    assert rows["layer_0"] | {"row": 0} == {
        "row": 0, "name": "layer_0", "shape": "4 x 3", "dtype": "float32", "rows": 4,
    }  # fmt: skip
    assert (rows["one"]["shape"], rows["one"]["rows"]) == ("one value", 1)
    assert (rows["none"]["shape"], rows["none"]["rows"]) == ("0 x 5", 0)
    found = arrays_of(dataset)
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype and found[name].shape == array.shape


def test_each_row_has_its_own_file(save, read):
    dataset = read(save(b=np.ones(3), a=np.zeros(2)))
    assert dataset.table()["name"].to_pylist() == ["a", "b"]
    assert dataset.media(np.array([1, 0])) == [npy(np.ones(3)), npy(np.zeros(2))]


def test_only_the_arrays_asked_for(save, read):
    dataset = read(save(**ARRAYS))
    assert list(arrays_of(dataset, ["targets", "layer_0"])) == ["targets", "layer_0"]
    with pytest.raises(DataError, match="no array 'layer_9'. It has: .*layer_0"):
        arrays_of(dataset, ["layer_9"])


def test_equal_arrays_are_the_same_data_however_they_are_packed(save, read, tmp_path):
    first = read(save(**ARRAYS))
    assert read(save("b.npz", packed=True, **ARRAYS)).hash == first.hash
    assert read(save("c.zip.npz", **ARRAYS).rename(tmp_path / "c.zip")).hash == first.hash
    folder = tmp_path / "folder"
    with zipfile.ZipFile(tmp_path / "b.npz") as archive:
        archive.extractall(folder)
    assert read(folder).hash == first.hash
    assert read(save("d.npz", **ARRAYS | {"one": np.array(2.0)})).hash != first.hash


def test_what_is_not_finite_is_counted(save, read):
    odd = np.array([[1.0, np.nan, np.inf], [np.nan, -np.inf, 0.0]])
    dataset = read(save(odd=odd, whole=np.array([1, 2]), holes=np.array([np.nan])))
    assert dataset.notes == (
        "holes: of 1 values 1 are NaN.",
        "odd: of 6 values 2 are NaN and 2 are infinite.",
    )
    np.testing.assert_array_equal(arrays_of(dataset)["odd"], odd)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_python_objects_are_refused_by_name_and_never_opened(save, read, tmp_path):
    trap = np.empty(1, object)
    trap[0] = Trap()
    path = tmp_path / "a.npz"
    np.savez(path, fine=np.zeros(2), bad=trap)
    with pytest.raises(DataError, match="'bad' in a.npz holds Python objects.*or leave it out"):
        read(path)
    # A file that states numbers and holds a pickle.
    lie = npy(np.zeros(1)).split(b"\n")[0] + b"\n" + pickle.dumps(Trap())
    with pytest.raises(DataError, match="'x' in b.npz is damaged"):
        read(zipped(tmp_path / "b.npz", {"x.npy": lie}))
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (npy(np.zeros(3))[:-1], "holds 23 bytes of the 24"),
        (npy(np.zeros(3)) + b"more", "holds 28 bytes of the 24"),
        (b"\x93NUMPY\x01", "damaged"),
        (b"words", "damaged"),
        (b"\x93NUMPY\x09\x00" + npy(np.zeros(3))[8:], "damaged"),
        (npy(np.zeros(3)).replace(b"(3,)", b"(-3)"), "damaged"),
        (npy(np.zeros(2, [("a", "f4"), ("b", "i4")])), "fields as arrays"),
        (npy(np.zeros(2, "datetime64[s]")), "neither numbers nor text"),
    ],
)
def test_what_is_no_whole_array_is_refused_by_name(read, tmp_path, data, message):
    with pytest.raises(DataError, match=f"'x' in a.npz .*{message}"):
        read(zipped(tmp_path / "a.npz", {"x.npy": data}))


def test_newer_versions_of_the_form_are_read(read, tmp_path):
    files = {f"v{v}.npy": npy(np.arange(3), version=(v, 0)) for v in (1, 2, 3)}
    found = arrays_of(read(zipped(tmp_path / "a.npz", files)))
    assert all((array == np.arange(3)).all() for array in found.values()) and len(found) == 3


def test_other_files_of_the_archive_are_named(read, tmp_path):
    files = {"read.txt": b"hello", "x.npy": npy(np.zeros(2))}
    dataset = read(zipped(tmp_path / "a.npz", files))
    assert dataset.n_rows == 1 and dataset.rejected == (("read.txt", "is no .npy file"),)


@pytest.mark.parametrize("limits", [{"max_unpacked_mb": 1}, {"max_upload_mb": 1}])
def test_what_unpacks_to_too_much_is_refused(save, read, limits):
    path = save(packed=True, a=np.zeros((1 << 18, 2), np.float32))
    with pytest.raises(DataError, match="over 1 MB|more than 1 MB"):
        read(path, **limits)
    assert read(path).n_rows == 1


def test_other_data_hold_no_arrays(read, tmp_path):
    (tmp_path / "a.csv").write_text("text\nhello\n")
    with pytest.raises(DataError, match="'a' holds text, no arrays"):
        arrays_of(read(tmp_path / "a.csv"))
