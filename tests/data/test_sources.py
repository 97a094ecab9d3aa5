import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend.data import open_dataset
from backend.data.sources import read_data
from backend.errors import DataError
from backend.settings import Settings
from tests.data.files import image, sound


@pytest.fixture
def read(tmp_path):
    def run(path, **options):
        limits = {k: options.pop(k) for k in list(options) if k.startswith("max_")}
        settings = Settings(home=tmp_path / "home", **limits)
        root = tmp_path / "root"
        try:
            return read_data(path, root=root, settings=settings, **options)
        finally:
            left = [p.name for p in root.glob(".*")] if root.exists() else []
            assert left == []  # nothing half-made stays

    return run


def fill(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


PICTURES = {
    "cat/1.png": image(1),
    "cat/2.jpg": image(2, form="JPEG"),
    "dog/big/3.png": image(3, size=(5, 6)),
}


def test_a_table_of_texts(tmp_path, read):
    path = tmp_path / "notes.csv"
    path.write_text("id,text\n1,a\n2,\n3,c\n")
    told = []
    found = read(path, progress=lambda *step: told.append(step))
    assert (found.kind, found.name, found.source) == ("text", "notes", "notes.csv")
    assert found.columns == ("id", "text", "source_row")
    assert found.texts(np.array([0, 1])) == ["a", "c"]
    assert found.rejected == (("row 1", "text is empty"),)
    assert open_dataset(found.folder) == found
    assert told
    assert read(path, name="mine").name == "mine"
    assert read(path, text_column="id").text_column == "id"


def test_equal_rows_from_other_forms_are_the_same_data(tmp_path, read):
    rows = [{"text": "a", "n": 1}, {"text": "b", "n": 2}]
    (tmp_path / "a.csv").write_text("text,n\na,1\nb,2\n")
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    hashes = {read(tmp_path / name).hash for name in ("a.csv", "b.jsonl", "c.parquet")}
    assert len(hashes) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_labelled_pictures(tmp_path, read, packed):
    files = {f"top/{name}": data for name, data in PICTURES.items()} | {"README.txt": b"hello"}
    make = (lambda: zipped(tmp_path / "set.zip", files)) if packed else None
    found = read(make() if make else fill(tmp_path / "set", files))
    assert (found.kind, found.name, found.n_rows) == ("image", "set", 3)
    rows = found.table().to_pydict()
    assert rows["name"] == ["cat/1.png", "cat/2.jpg", "dog/big/3.png"]
    assert rows["label"] == ["cat", "cat", "dog/big"]
    assert (rows["width"], rows["height"]) == ([12, 12, 5], [8, 8, 6])
    assert found.media(np.array([2, 0])) == [PICTURES["dog/big/3.png"], PICTURES["cat/1.png"]]
    assert any("1 other files" in note for note in found.notes)


def test_folder_and_zip_are_the_same_data(tmp_path, read):
    folder, archive = fill(tmp_path / "f", PICTURES), zipped(tmp_path / "z.zip", PICTURES)
    assert read(folder).hash == read(archive).hash


def test_corrupt_pictures_are_left_out_by_name(tmp_path, read):
    bad = {"cat/bad.png": image(9)[:60], "cat/words.png": b"not a picture", "cat/no.png": b""}
    found = read(fill(tmp_path / "f", PICTURES | bad))
    assert found.n_rows == 3
    reasons = dict(found.rejected)
    assert set(reasons) == set(bad)
    assert "cannot be decoded" in reasons["cat/bad.png"]
    assert "not a known image" in reasons["cat/words.png"]
    assert reasons["cat/no.png"] == "is empty"
    assert any("3 of 6" in note for note in found.notes)
    with pytest.raises(DataError, match="not one of 3 files can be used; bad.png: "):
        read(fill(tmp_path / "g", bad))


def test_sounds(tmp_path, read):
    files = {"a.wav": sound(), "b.flac": sound(form="FLAC", rate=16000), "c.ogg": sound(form="OGG")}
    found = read(fill(tmp_path / "f", files))
    rows = found.table().to_pydict()
    assert found.kind == "audio"
    assert found.columns == ("name", "seconds", "sample_rate")
    assert rows["sample_rate"] == [8000, 16000, 8000]
    assert rows["seconds"] == pytest.approx([0.25] * 3)


def test_mixed_media(tmp_path, read):
    few = {f"{i}.wav": sound(200 + i) for i in range(4)} | {"cover.png": image()}
    found = read(fill(tmp_path / "few", few))
    assert (found.kind, found.n_rows) == ("audio", 4)
    assert found.rejected == (("cover.png", "is image among audio files"),)
    with pytest.raises(DataError, match="mixes 1 images and 1 audio"):
        read(fill(tmp_path / "even", {"a.wav": sound(), "b.png": image()}))


def test_a_table_is_joined_by_file_name(tmp_path, read):
    table = (
        b"file_name,age,label,name\ncat/1.png,3,tabby,Tom\ndog/big/3.png,5,pug,Rex\nx.png,1,a,b\n"
    )
    found = read(fill(tmp_path / "f", PICTURES | {"metadata.csv": table}))
    rows = found.table().to_pydict()
    assert rows["age"] == [3, None, 5]
    assert rows["label"] == ["tabby", None, "pug"]
    assert rows["folder"] == ["cat", "cat", "dog/big"]
    assert rows["name_"] == ["Tom", None, "Rex"]
    assert any("no row for 1 of 3" in note for note in found.notes)
    assert any("1 rows of metadata.csv" in note for note in found.notes)
    for wrong in (b"file,age\na,1\n", b"file_name,age\na,1\na,2\n"):
        with pytest.raises(DataError, match="metadata.csv"):
            read(fill(tmp_path / "f", {"metadata.csv": wrong}))


def test_one_picture_or_sound_whatever_it_is_called(tmp_path, read):
    fill(tmp_path, {"a.png": image(), "b.txt": sound()})
    assert (read(tmp_path / "a.png").kind, read(tmp_path / "b.txt").kind) == ("image", "audio")
    fill(tmp_path, {"c.png": image()[:60]})
    with pytest.raises(DataError, match="c.png.*cannot be decoded"):
        read(tmp_path / "c.png")


def hugging_face_table(media):
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": [{"bytes": data, "path": path} for data, path in media],
            "label": [i % 2 for i in range(len(media))],
            "row": list(range(len(media))),
        }
    )
    info = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": info})


def test_parquet_with_pictures_inside(tmp_path, read):
    media = [(image(1), "x/1.png"), (b"bad", "2.png"), (None, "3.png"), (image(4), None)]
    pq.write_table(hugging_face_table(media), tmp_path / "p.parquet")
    found = read(tmp_path / "p.parquet")
    rows = found.table().to_pydict()
    assert (found.kind, rows["name"], rows["label"]) == ("image", ["1.png", "3"], ["cat", "dog"])
    assert (rows["row_"], rows["source_row"]) == ([0, 3], [0, 3])
    assert found.media(np.array([1])) == [image(4)]
    assert [where for where, _ in found.rejected] == ["row 1 (2.png)", "row 2 (3.png)"]


def test_parquet_with_sounds_inside(tmp_path, read):
    media = [{"bytes": sound(), "path": "a.wav"}]
    pq.write_table(pa.table({"audio": media, "said": ["hello"]}), tmp_path / "p.parquet")
    found = read(tmp_path / "p.parquet")
    assert (found.kind, found.columns) == ("audio", ("name", "seconds", "sample_rate", "said"))
    texts = read(tmp_path / "p.parquet", text_column="said")
    assert (texts.kind, texts.texts(np.array([0]))) == ("text", ["hello"])


def test_a_zip_of_one_table(tmp_path, read):
    found = read(zipped(tmp_path / "z.zip", {"d/a.csv": b"text,n\na,1\n"}))
    assert (found.kind, found.name, found.source) == ("text", "z", "z.zip")
    with pytest.raises(DataError, match="2 tables"):
        read(zipped(tmp_path / "y.zip", {"a.csv": b"text\na\n", "b.csv": b"text\na\n"}))
    with pytest.raises(DataError, match="no images"):
        read(zipped(tmp_path / "x.zip", {"a.txt": b"text\na\n"}))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.pkl", pickle.dumps(Trap()), "pickle"),
        ("a.csv", pickle.dumps(Trap()), "pickle"),
        ("a.pt", b"PK\x03\x04", "pickle"),
        ("a.npz", b"PK\x03\x04 cut", "a.npz is not a zip file, or is cut short"),
        ("a.npz", b"words", "not a zip file"),
        ("a.npy", b"\x93NUMPY", "numpy.savez"),
        ("a.csv.gz", b"\x1f\x8b\x08", "Unpack it first"),
        ("a.xlsx", b"PK\x03\x04", "CSV UTF-8"),
        ("a.zip", b"words", "not a zip file"),
        ("a.mp4", b"\0\0\0\x18ftyp", "of no form that is read"),
        ("a.csv", b"", "is empty"),
        ("a.parquet", b"", "is empty"),
    ],
)
def test_other_forms_are_refused_with_a_reason(tmp_path, read, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_a_zip_with_a_pickled_model_is_refused(tmp_path, read):
    path = zipped(tmp_path / "a.zip", {"archive/data.pkl": pickle.dumps(Trap())})
    with pytest.raises(DataError, match="pickle"):
        read(path)


def test_limits(tmp_path, read):
    (tmp_path / "a.csv").write_text("text\n" + "x" * (1 << 20))
    with pytest.raises(DataError, match="larger than 1 MB"):
        read(tmp_path / "a.csv", max_upload_mb=1)
    with pytest.raises(DataError, match="more than 2 files"):
        read(fill(tmp_path / "f", PICTURES), max_files=2)
    with pytest.raises(DataError, match="more than 2 files"):
        read(zipped(tmp_path / "z.zip", PICTURES), max_files=2)
    with pytest.raises(DataError, match="no file or folder"):
        read(tmp_path / "nothing.csv")
    with pytest.raises(DataError, match="no images"):
        read(fill(tmp_path / "e", {".hidden/a.png": image()}))


def test_importing_the_area_is_light():
    code = (
        "import sys, backend.data, backend.data.sources\n"
        "heavy = {'PIL', 'soundfile', 'scipy', 'pandas', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
