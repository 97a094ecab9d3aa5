"""Every page that is listed opens, on an empty data folder and on one with results."""

import re
from pathlib import Path

import pytest

from tests.pages.conftest import MAIN, said

PAGES = re.findall(r'st\.Page\("(\w+\.py)"', MAIN.read_text())


def test_there_are_pages():
    assert {"home.py", "library.py", "compare.py"} <= set(PAGES)
    assert all((MAIN.parent / page).is_file() for page in PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_its_question(visit, any_home: Path, page: str):
    at = visit(any_home, page)
    assert not at.exception, [e.value for e in at.exception]
    assert len(at.title) == 1 and at.title[0].value.endswith("?")
    assert "Traceback" not in said(at)


def test_the_icon_is_our_own_file():
    # A Material symbol as the page's icon would be fetched from a server outside.
    assert "page_icon=LOGO" in MAIN.read_text()
    assert (MAIN.parent.parent / "assets" / "logo.svg").is_file()
