"""Models and data by reference: known ones, changed ones, uploads, and their removal."""

import json
import zipfile
from dataclasses import replace

import pytest

from backend import Workbench
from backend.errors import DataError, ModelError, UserError
from backend.models.sources import from_folder
from backend.settings import Settings
from tests import rigs


@pytest.fixture
def bench(tmp_path):
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    yield opened
    opened.close()


def packed(path, folder, *, prefix="", extra=()):
    """A model folder as an uploaded zip; `extra` adds entries (name, content)."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.iterdir() if folder else ():
            if not file.name.startswith("."):
                archive.write(file, f"{prefix}{file.name}")
        for name, content in extra:
            archive.writestr(name, content)
    return path


# Models


def test_a_model_is_described_once(bench, monkeypatch):
    ref = str(rigs.model_folder("gpt2"))
    assert bench.model(ref) is None
    facts = bench.describe(ref)
    assert facts["family"] == "GPT-2" and bench.model(ref) == json.loads(json.dumps(facts))
    monkeypatch.setattr("backend.work.resolve_model", lambda *_: pytest.fail("looked again"))
    assert bench.describe(ref)["model_id"] == facts["model_id"]
    offers = {offer.ref: offer for offer in bench.offers("model")}
    assert offers[ref].ready and offers[ref].fits("text") and not offers[ref].fits("image")


def test_a_model_whose_files_are_gone_is_not_known(bench, tmp_path):
    folder = rigs.copy_model("gpt2", tmp_path / "m")
    bench.describe(str(folder))
    folder.rename(tmp_path / "elsewhere")
    assert bench.model(str(folder)) is None
    with pytest.raises(ModelError, match="neither a folder"):
        bench.describe(str(folder))


def test_an_uploaded_model_is_unpacked_and_opened(bench, tmp_path):
    folder = rigs.model_folder("bert")
    ref = bench.add_model(packed(tmp_path / "up.zip", folder, prefix="inner/"), "My model.zip")
    assert ref.startswith(str(bench.settings.models)) and "My model" in ref
    facts = bench.describe(ref)
    assert facts["model_id"] == from_folder("x", folder, settings=bench.settings).model_id
    bench.remove_model(facts["model_id"])
    assert bench.model(ref) is None and bench.models() == []


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil", "\\\\host\\evil"]
)
def test_a_zip_with_a_path_out_of_its_folder_is_refused(bench, tmp_path, name):
    archive = packed(tmp_path / "up.zip", rigs.model_folder("bert"), extra=[(name, b"x")])
    with pytest.raises(DataError, match="evil"):
        bench.add_model(archive, "m.zip")
    assert not list((bench.settings.models / "uploads").iterdir())
    assert not list(tmp_path.rglob("evil*"))


def test_a_zip_without_a_model_is_refused(bench, tmp_path):
    with pytest.raises(ModelError, match=r"notes.zip holds no config.json"):
        bench.add_model(packed(tmp_path / "a.zip", None, extra=[("a.txt", b"x")]), "notes.zip")
    pickled = [("config.json", b"{}"), ("pytorch_model.bin", b"cos\nsystem\n")]
    with pytest.raises(ModelError, match="would have to be unpickled"):
        bench.add_model(packed(tmp_path / "b.zip", None, extra=pickled), "b.zip")
    (tmp_path / "c.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a zip"):
        bench.add_model(tmp_path / "c.zip", "c.zip")
    assert not list((bench.settings.models / "uploads").iterdir())


def test_a_bad_upload_does_not_cost_the_earlier_one(bench, tmp_path):
    ref = bench.add_model(packed(tmp_path / "a.zip", rigs.model_folder("bert")), "m.zip")
    with pytest.raises(ModelError):
        bench.add_model(packed(tmp_path / "b.zip", None, extra=[("a.txt", b"x")]), "m.zip")
    assert bench.describe(ref)["family"] == "BERT-like encoder"
    again = bench.add_model(packed(tmp_path / "c.zip", rigs.model_folder("gpt2")), "m.zip")
    assert again == ref and bench.describe(ref)["family"] == "GPT-2"


@pytest.mark.parametrize("name", ["..", "../..", ".", "", "..zip", "/", "..\\..\\x.zip"])
def test_the_name_of_an_upload_is_no_path(bench, tmp_path, name):
    bench.settings.models.mkdir(parents=True, exist_ok=True)
    (bench.settings.models / "demo").mkdir()
    ref = bench.add_model(packed(tmp_path / "a.zip", rigs.model_folder("bert")), name)
    assert from_folder(ref, bench.settings.models / "uploads" / ref.rpartition("/")[2],
                       settings=bench.settings)  # fmt: skip
    assert (bench.settings.models / "demo").is_dir()
    kept = bench.keep_upload(name, b"content")
    assert kept.parent == bench.settings.home / "uploads" and kept.read_bytes() == b"content"


# Data


def test_data_is_read_once_and_again_when_the_file_changes(bench, tmp_path, monkeypatch):
    file = rigs.write_csv(tmp_path / "t.csv", 12)
    first = bench.add_data(str(file))
    assert (first.n_rows, first.name) == (12, "t")
    assert bench.dataset(str(file)) == bench.dataset(first.hash) == bench.datasets()[0]
    with monkeypatch.context() as inside:
        inside.setattr("backend.work.resolve_data", lambda *_: pytest.fail("read again"))
        assert bench.add_data(str(file)).hash == first.hash
    rigs.write_csv(file, 13)
    assert bench.dataset(str(file)) is None
    assert bench.add_data(str(file)).n_rows == 13
    assert {d.hash for d in bench.datasets()} > {first.hash}


def test_a_folder_that_gets_another_picture_is_read_again(bench, tmp_path):
    folder = tmp_path / "pictures"
    for i in range(3):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        (folder / "ab"[i % 2] / f"{i}.png").write_bytes(rigs.picture(i))
    assert bench.add_data(str(folder)).n_rows == 3
    (folder / "a" / "9.png").write_bytes(rigs.picture(9))
    assert bench.dataset(str(folder)) is None
    assert bench.add_data(str(folder)).n_rows == 4


def test_another_text_column_is_another_data_set(bench, tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("text,note\nthe cat,a dog\nthe tree,a bird\n")
    first = bench.add_data(str(file))
    second = bench.add_data(str(file), text_column="note")
    assert (first.text_column, second.text_column) == ("text", "note")
    assert first.hash != second.hash and bench.dataset(str(file)).hash == second.hash


def test_a_data_set_goes_with_its_captures(bench, tmp_path):
    from backend import CaptureAsk

    file = rigs.write_csv(tmp_path / "t.csv", 12)
    bench.capture(CaptureAsk(str(rigs.model_folder("gpt2")), str(file), "final"))
    group = bench.capture_groups()[0]
    assert (group["data"], group["sites"], group["vectors"]) == ("t", 1, 12)
    bench.remove_data(bench.dataset(str(file)).hash)
    assert bench.datasets() == [] and bench.captures() == () and file.exists()
    assert not list(bench.settings.vectors.rglob("*.arrow"))


@pytest.fixture
def pictures(tmp_path):
    """A folder of five pictures, a sub-folder per label."""
    for i in range(5):
        folder = tmp_path / "pictures" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.png").write_bytes(rigs.picture(i))
    return str(tmp_path / "pictures")


def cut(bench, data, **options):
    return bench.runner.wait(bench.submit_crops(data, **options))


def test_crops_of_ones_own_pictures_are_cut_once(bench, pictures, monkeypatch):
    made = cut(bench, pictures, per_image=4, seed=1)
    assert (made.name, made.kind, made.n_rows) == ("pictures, crops", "image", 20)
    assert bench.dataset(made.hash) == bench.datasets()[0] == made
    table = made.table()
    names = ["a/0.png", "a/2.png", "a/4.png", "b/1.png", "b/3.png"]
    assert table["file"].to_pylist() == [name for name in names for _ in range(4)]
    assert table["label"].to_pylist() == list("aaaaaaaaaaaabbbbbbbb")
    source = bench.dataset(pictures)
    with monkeypatch.context() as inside:
        inside.setattr("backend.work.cut_crops", lambda *_: pytest.fail("cut again"))
        for ref in (pictures, source.hash):
            assert cut(bench, ref, per_image=4, seed=1) == made
    others = [cut(bench, pictures, per_image=4), cut(bench, pictures, per_image=4, sides=(0.5,))]
    assert len({made.hash, *(other.hash for other in others)}) == 3
    job = next(j for j in bench.jobs() if j["kind"] == "crops")
    assert (job["state"], job["title"]) == ("done", "Cut pictures into crops")


def test_complexity_holds_the_pictures_of_crops_out_whole(bench, tmp_path):
    from tests.pages.material import write_images

    images = write_images(tmp_path / "images.zip", 15)  # their names are all that tells them apart
    made = cut(bench, str(images), per_image=6)
    asked = {"atoms": 4, "dictionary": "pca"}
    result = bench.run("complexity", model=str(rigs.model_folder("vit")), data=made.hash, **asked)
    assert "Rows come from 15 files, which are held out whole." in result.scalars["note"]


def test_cutting_shows_how_far_it_is_and_can_be_stopped(bench, pictures, monkeypatch):
    from backend.errors import Cancelled
    from backend.jobs.ticks import Ticker

    real = Ticker.progress

    def stop(self, done, total, message=""):
        if message == "cutting crops":
            assert (done, total) == (0, 150)
            bench.cancel(self.job)
        real(self, done, total, message)

    monkeypatch.setattr(Ticker, "progress", stop)
    bench.add_data(pictures)
    with pytest.raises(Cancelled):
        cut(bench, pictures)
    assert [d.name for d in bench.datasets()] == ["pictures"]
    assert not list(bench.settings.data.glob(".part-*"))


def test_what_cannot_be_cut_is_said(bench, pictures, tmp_path):
    with pytest.raises(DataError, match="2 crops with sides"):
        bench.submit_crops(pictures, per_image=2)
    assert bench.jobs() == []
    with pytest.raises(DataError, match=r"'t' holds text, no pictures\. Give a data set of images"):
        cut(bench, str(rigs.write_csv(tmp_path / "t.csv", 12)))
    crops = cut(bench, pictures, per_image=3)
    with pytest.raises(DataError, match="'picture' already"):
        cut(bench, crops.hash)


def test_twelve_digits_of_a_hash_name_a_data_set(bench, tmp_path):
    made = bench.add_data(str(rigs.write_csv(tmp_path / "t.csv", 12)))
    assert bench.dataset(made.hash[:12]) == made and bench.dataset(made.hash[:11]) is None
    assert bench.add_data(made.hash[:12]) == made


def test_a_missing_file_is_said(bench, tmp_path):
    with pytest.raises(UserError, match="nothing.csv"):
        bench.add_data(str(tmp_path / "nothing.csv"))
    assert bench.jobs()[0]["state"] == "failed"


def test_demos_are_offered_before_they_are_fetched(bench):
    offers = {offer.ref: offer for offer in bench.offers("model") + bench.offers("data")}
    for ref in ("demo:smollm2", "demo:minilm", "demo:facts"):
        assert not offers[ref].ready and "to fetch" in offers[ref].note
        assert "fetched on use" in offers[ref].label
    assert replace(offers["demo:facts"], ready=True).label == offers["demo:facts"].title
