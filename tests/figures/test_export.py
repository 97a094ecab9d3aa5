"""Files drawn by a real Chromium. They are not skipped without one: an export that cannot be
tried is not known to work. Install Chromium, or set BROWSER_PATH.
"""

import re
import struct
import threading

import plotly.graph_objects as go
import pytest

from backend.figures import (
    browser,
    cka_map,
    close,
    profile_lines,
    projection_map,
    read_provenance,
    save_all,
    to_pdf,
    to_png,
    to_svg,
)
from backend.figures.browser import BrowserMissing
from backend.figures.paper import for_paper

drawn = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def _one_browser():
    yield
    close()


@drawn
def test_svg_is_as_wide_as_asked_white_and_carries_its_provenance(similarity):
    svg = to_svg(cka_map(similarity), width_mm=85)
    assert 'width="321"' in svg
    assert "fill: rgb(255, 255, 255)" in svg
    assert "penultimate 0123456789ab" in svg
    assert read_provenance(svg.encode(), "a.svg") == similarity.provenance


@drawn
def test_png_has_the_pixels_of_its_resolution(similarity):
    png = to_png(cka_map(similarity), width_mm=85, height_mm=60, dpi=192)
    assert struct.unpack(">II", png[16:24]) == (642, 454)
    assert read_provenance(png, "a.png") == similarity.provenance


@drawn
def test_pdf_is_one_page_of_the_figures_size(similarity):
    pdf = to_pdf(cka_map(similarity), width_px=400)
    width = float(re.search(rb"/MediaBox \[0 0 ([\d.]+)", pdf)[1])
    assert width == pytest.approx(300, abs=1)  # points
    assert read_provenance(pdf, "a.pdf") == similarity.provenance


@drawn
def test_two_sessions_at_once_each_get_their_own_figure(similarity, profile):
    figures = {"CKA": cka_map(similarity), "Profile": profile_lines(profile)}
    found: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda n=name, f=fig: found.update({n: to_svg(f)}))
        for name, fig in figures.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert "Similarity of layers" in found["CKA"]
    assert "Profile of the layers" in found["Profile"]


@drawn
def test_save_all_writes_four_files_that_know_their_source(similarity, tmp_path):
    saved = save_all(cka_map(similarity), tmp_path / "figures", "map")
    assert [p.name for p in saved.files] == ["map.html", "map.json", "map.svg", "map.png"]
    assert saved.left_out == ()
    for path in saved.files:
        assert read_provenance(path.read_bytes(), path.name) == similarity.provenance
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == sorted(
        p.name for p in saved.files
    )


@drawn
def test_the_browser_starts_again_after_it_was_closed(similarity):
    close()
    assert to_svg(cka_map(similarity)).startswith("<svg")


def test_without_a_browser_the_remedy_is_said_and_the_rest_is_written(
    similarity, tmp_path, monkeypatch
):
    close()
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-chrome"))
    fig = cka_map(similarity)
    with pytest.raises(BrowserMissing, match=r"Install Chromium .* BROWSER_PATH"):
        to_svg(fig)
    saved = save_all(fig, tmp_path, "map")
    assert [p.suffix for p in saved.files] == [".html", ".json"]
    assert [line.split(":")[0] for line in saved.left_out] == ["map.svg", "map.png"]
    assert "BROWSER_PATH" in saved.left_out[0]


def test_a_browser_that_dies_is_started_once_more(monkeypatch):
    starts = []

    class Loopless(browser._Browser):
        def _started(self):
            starts.append(1)
            return None, self

        def calc_fig(self, figure, opts):
            return None

        def _wait(self, work, seconds):
            if len(starts) == 1:
                raise RuntimeError("the browser closed")
            return b"drawn"

        def close(self):
            pass

    monkeypatch.setattr(browser.asyncio, "run_coroutine_threadsafe", lambda work, loop: work)
    assert Loopless().draw({}, form="svg", width=1, height=1, scale=1) == b"drawn"
    assert len(starts) == 2


def test_paper_is_white_vector_and_wrapped(make_cloud, provenance):
    colour = ["a long category", "another long one"] * 6
    table = make_cloud(12)
    fig = projection_map(
        table, site="embed", provenance=provenance, colour=colour, colour_name="something long here"
    )
    fig.add_scattergl(x=[0], y=[0])
    ready, height = for_paper(fig, width=321)
    assert {t.type for t in ready.data} == {"scatter"}
    assert {t.type for t in fig.data} == {"scatter", "scattergl"}
    assert ready.layout.paper_bgcolor is None
    assert ready.layout.template.layout.paper_bgcolor == "#FFFFFF"
    assert ready.layout.legend.orientation == "h"
    assert "<br>" in ready.layout.title.text
    assert 200 < height < 500
    wide, _ = for_paper(fig, width=900)
    assert wide.layout.legend.orientation is None
    assert "<br>" not in wide.layout.title.text


def test_many_webgl_points_stay_pixels(provenance):
    fig = go.Figure(go.Scattergl(x=list(range(5001)), y=list(range(5001))))
    assert for_paper(fig, width=400)[0].data[0].type == "scattergl"


def test_a_film_prints_as_its_first_frame(make_cloud, provenance):
    from backend.figures import projection_film

    ready, _ = for_paper(projection_film(make_cloud(12), provenance=provenance), width=400)
    assert ready.frames == ()
    assert not ready.layout.sliders
    assert not ready.layout.updatemenus
