"""Home: what to start with, what was computed last, and what is at hand."""

from tests.pages.conftest import charts, check, said


def test_an_empty_store_offers_questions(visit, home):
    at = check(visit(home))
    assert "Nothing is computed yet" in said(at)
    links = [link.proto for link in at.get("page_link")]
    assert len(links) == 6 and all("data=demo%3A" in link.query_string for link in links)
    assert not charts(at)


def test_recent_results_are_live_pictures(visit, filled):
    at = check(visit(filled))
    drawn = charts(at)
    assert len(drawn) == 3 and all(key.startswith("thumb:") for key in drawn)
    assert {m.label: m.value for m in at.metric}["Models opened"] == "3"


def test_findings_stand_beside_the_papers(visit, filled):
    at = check(visit(filled))
    assert "What the papers found, what we see here" in [s.value for s in at.subheader]
    assert "Kornblith et al. 2019" in said(at)
