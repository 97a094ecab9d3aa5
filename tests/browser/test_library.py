"""The library and the home page in a real browser: files in, jobs, saved figures back in."""

import csv
import json
import re
from xml.etree import ElementTree

from tests.browser import drawn
from tests.pages.material import write_texts


def test_home_shows_live_pictures_that_lead_to_their_view(dashboard, open_page):
    page = open_page(dashboard.url())
    page.get_by_role("heading", name="Recent results").wait_for()
    pictures = page.locator("[class*=st-key-thumb] .js-plotly-plot")
    pictures.nth(2).locator(".main-svg").first.wait_for()
    kinds = [pictures.nth(i).evaluate("e => e._fullData[0].type") for i in range(3)]
    assert set(kinds) <= {"heatmap", "scatter"}  # whichever results are the newest by now
    link = page.get_by_role("link", name="Open").last
    path = link.get_attribute("href").partition("?")[0].rpartition("/")[2]
    link.click()
    page.wait_for_url(lambda address: path in address)
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert path in ("compare", "preferences", "raters", "whatif")


def test_a_table_is_uploaded_previewed_and_compared(dashboard, open_page, tmp_path):
    page = open_page(dashboard.url("library", tab="Data"))
    file = write_texts(tmp_path / "mine.csv", 30, seed=5)
    page.locator(".st-key-data-file input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Add the data").click()
    page.get_by_text("30 rows of text").wait_for()
    page.locator(".stDataFrame canvas").first.wait_for()
    page.get_by_role("link", name="Compare layers on it").click()
    drawn.chart(page, "cloud")  # captured and computed on the way
    assert len(drawn.points(page)) == 30


def test_a_file_that_is_not_what_it_says_gets_one_sentence(dashboard, open_page, tmp_path):
    page = open_page(dashboard.url("library", tab="Data"))
    file = tmp_path / "bad.parquet"
    file.write_bytes(b"this is no table")
    page.locator(".st-key-data-file input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Add the data").click()
    error = page.get_by_test_id("stAlertContentError")
    error.wait_for()
    assert "bad.parquet" in error.text_content()
    assert "Traceback" not in page.content() and error.count() == 1


def test_a_long_job_shows_its_progress_and_stops(dashboard, open_page, tmp_path):
    page = open_page(dashboard.url("library", tab="Data"))
    page.get_by_label("or a path on this machine").fill(str(write_long(tmp_path / "long.csv")))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add the data").click()
    page.get_by_text("20,000 rows of text").wait_for()
    found = re.search(r"data=([0-9a-f]{32})", page.url)
    assert found, page.url
    page.goto(dashboard.url("compare", model=dashboard.world.llama, data=found[1], rows="all"))
    begin = page.get_by_role("button", name=re.compile("Compute|Stop")).first
    if "Compute" in begin.text_content():  # long work is quoted first, as this machine's pace says
        begin.click()
    page.get_by_text(re.compile(r"\d of 20,000")).first.wait_for()
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_text("was stopped; finished shards are kept").wait_for()
    page.get_by_role("button", name="Start again").wait_for()
    page.goto(dashboard.url("library", tab="Jobs"))
    page.get_by_text("cancelled").first.wait_for()
    page.get_by_role("button", name="Start again").first.wait_for()


def write_long(path):
    """20 000 rows: some seconds of work for the smallest model."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "number"])
        rows.writerows(
            [[f"the cat of paris runs {'very ' * (i % 9)}{i}", i] for i in range(20_000)]
        )
    return path


def test_an_exported_figure_opens_its_view_again(dashboard, open_page):
    page = open_page(dashboard.compare(tab="Export", site="embed"))
    drawn.wait_title(page, "embedding")
    drawn.settled(page)
    page.locator(".st-key-site input[type=range]").focus()
    page.keyboard.press("ArrowRight")  # what is saved follows the picture
    drawn.wait_title(page, "block 0")
    page.get_by_text("site=resid_post.0").wait_for()
    with page.expect_download(timeout=60_000) as saved:
        page.get_by_role("button", name="SVG").click()
    path = saved.value.path()
    assert saved.value.suggested_filename == "projection-resid_post.0.svg"
    tree = ElementTree.parse(path)
    note = tree.find(".//{*}metadata[@id='penultimate']")
    facts = json.loads(note.text)
    assert facts["n"] == 48 and facts["models"][0]["ref"] == dashboard.world.llama
    assert "site=resid_post.0" in facts["view"]
    page.goto(dashboard.url("library", tab="Reopen a figure"))
    page.locator(".st-key-figure input[type=file]").set_input_files(
        {"name": "figure.svg", "mimeType": "image/svg+xml", "buffer": path.read_bytes()}
    )
    link = page.get_by_role("link", name="Open the view it came from")
    link.wait_for()
    assert "site=resid_post.0" in link.get_attribute("href")
    page.goto(link.get_attribute("href"))
    drawn.wait_title(page, "block 0")


def test_pictures_are_shown_as_pictures(dashboard, open_page):
    page = open_page(
        dashboard.url(
            "compare", model=dashboard.world.vit, data=dashboard.world.images, selected="0.1.2.9"
        )
    )
    drawn.chart(page, "cloud")
    page.get_by_text("4 selected").wait_for()
    pictures = page.locator("[data-testid=stImage] img, [data-testid=stImageContainer] img")
    pictures.nth(4).wait_for()
    captions = page.get_by_test_id("stImageCaption").all_text_contents()
    assert [c.strip() for c in captions[:4]] == ["row 0", "row 1", "row 2", "row 9"]
    assert len(captions) == 4 + 8
    shown = pictures.evaluate_all("a => a.map(i => i.complete && i.naturalWidth)")
    assert set(shown) == {32}
