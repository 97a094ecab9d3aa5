"""The library's tabs: models, data, jobs, storage, SQL, and figures that come back."""

import shutil
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.pages.conftest import check, said, settle, told
from tests.pages.material import write_texts

PAGE = "library.py"
TABS = ("Models", "Data", "Jobs", "Storage", "SQL", "Reopen a figure")


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens(visit, any_home, tab):
    at = check(visit(any_home, PAGE, tab=tab))
    if tab != "Models":
        assert told(at, "tab") == [tab]


def test_a_model_says_what_it_is(visit, filled, world):
    at = check(visit(filled, PAGE, model=world.llama))
    numbers = {m.label: m.value for m in at.metric}
    assert numbers["Blocks"] == "3" and numbers["Width"] == "16"
    assert "Runs on **cpu**" in said(at) and "pooling `last`" in said(at)


def test_a_folder_that_is_no_model_gets_one_sentence(visit, home, tmp_path):
    at = visit(home, PAGE, model=str(tmp_path))
    next(b for b in at.button if b.label == "Open this model").click()
    at = settle(at)
    assert len(at.error) == 1 and not at.exception


def test_data_are_previewed(visit, filled, world):
    at = check(visit(filled, PAGE, tab="Data", data=world.texts))
    assert "48 rows of text" in said(at)
    assert list(at.dataframe[0].value.columns) == ["row", "text", "subject", "words"]


def test_a_path_is_read_and_becomes_the_data_shown(visit, home, tmp_path):
    path = write_texts(tmp_path / "more.csv", 12, seed=9)
    at = visit(home, PAGE, tab="Data")
    at.text_input(key="data-path").set_value(str(path)).run()
    at.button(key="add-data").click()
    at = check(settle(at))
    assert "12 rows of text" in said(at) and "**more**" in said(at)
    assert len(told(at, "data")[0]) == 32  # the content's hash


@pytest.mark.parametrize("content", [b"", b"\x00\x01nothing", b"a,b\n1"])
def test_a_bad_file_gets_one_sentence(visit, home, tmp_path, content):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    at = visit(home, PAGE, tab="Data")
    at.text_input(key="data-path").set_value(str(path)).run()
    at.button(key="add-data").click()
    at = settle(at)
    assert len(at.error) == 1 and "bad.csv" in at.error[0].value and not at.exception


def test_pictures_are_cut_into_crops_which_lead_to_complexity(visit, filled, world, tmp_path):
    home = shutil.copytree(filled, tmp_path / "copy")
    at = check(visit(home, PAGE, tab="Data", data=world.images))
    assert "24 pictures give 720 crops." in said(at)
    at.number_input(key="crops-each").set_value(5).run()
    assert "24 pictures give 120 crops." in said(at)
    at.button(key="cut").click()
    at = check(settle(at))
    assert "**images, crops** · 120 rows of image" in said(at)
    assert "5 squares of each of the 24 pictures of images" in said(at)
    assert "Crops of one picture overlap" in said(at)
    (made,) = told(at, "data")
    links = {link.proto.label: link.proto for link in at.get("page_link")}
    query = parse_qs(links["Find features in it"].query_string)
    assert links["Find features in it"].page == "complexity"
    assert query == {"data": [made], "model": [world.vit]}
    assert not [b for b in at.button if b.key == "cut"]  # crops are not cut again
    at = check(visit(home, PAGE, tab="Data", data=world.texts))
    assert "pictures give" not in said(at)


def test_an_upload_of_named_arrays_is_spoken_of(visit, home):
    assert "an npz of named arrays" in said(visit(home, PAGE, tab="Data"))


def test_data_can_be_removed(visit, filled, world, tmp_path):
    home = shutil.copytree(filled, tmp_path / "copy")
    at = visit(home, PAGE, tab="Data", data=world.texts)
    at.button(key="remove-data").click().run()
    assert "48 rows of text" not in said(check(at))


def test_a_failed_job_is_listed_with_its_reason_and_can_be_started_again(visit, home, world):
    at = settle(visit(home, "compare.py", model=world.llama, data=world.images))
    assert at.error
    at.query_params.clear()
    at.query_params["tab"] = "Jobs"
    at.switch_page(PAGE).run()
    check(at)
    assert ":red-badge[failed]" in said(at) and "reads text" in said(at)
    states = at.dataframe[0].value["state"].tolist()
    assert states == ["failed"]
    next(b for b in at.button if b.key.startswith("forget:")).click().run()
    assert "Nothing ran yet." in said(check(at))


def test_storage_counts_and_lists_captures(visit, filled):
    at = check(visit(filled, PAGE, tab="Storage"))
    assert {m.label for m in at.metric} >= {"Models", "Data", "Captures", "Database"}
    assert set(at.dataframe[0].value["model"].map(lambda ref: Path(ref).name)) >= {"llama", "vit"}


def test_sql_reads_a_snapshot(visit, filled, tmp_path):
    home = shutil.copytree(filled, tmp_path / "copy")
    at = visit(home, PAGE, tab="SQL")
    assert "Make a snapshot first." in said(at)
    next(b for b in at.button if b.label == "Make a snapshot").click()
    at = check(settle(at))
    at.text_area(key="sql").set_value("select 6 * 7 as answer")
    at.button(key="run-sql").click().run()
    assert check(at).dataframe[-1].value["answer"].tolist() == [42]
    at.text_area(key="sql").set_value("drop table results")
    at.button(key="run-sql").click().run()
    assert len(at.error) == 1 and not at.exception


def test_a_figure_leads_back_to_its_view(visit, filled, world):
    query = {"model": world.llama, "data": world.texts}
    at = check(visit(filled, "compare.py", tab="Export", site="resid_post.1", **query))
    key = next(c.value for c in at.caption if "key " in c.value).split("key ")[1][:12]
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'><text>penultimate {key}</text></svg>"
    at = visit(filled, PAGE, tab="Reopen a figure")
    at.file_uploader(key="figure").set_value(("figure.svg", svg.encode(), "image/svg+xml")).run()
    link = check(at).get("link_button")[0].proto.url
    assert "site=resid_post.1" in link


def test_a_figure_of_others_is_refused(visit, filled):
    at = visit(filled, PAGE, tab="Reopen a figure")
    at.file_uploader(key="figure").set_value(("a.svg", b"<svg></svg>", "image/svg+xml")).run()
    assert len(at.error) == 1 and "a.svg" in at.error[0].value
