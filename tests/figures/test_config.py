"""The dashboard's settings are safe, known to this Streamlit, and in the figures' colours."""

import tomllib
from pathlib import Path

import pytest

from backend.figures import palette, theme

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config() -> dict:
    return tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


def test_every_option_is_known_to_streamlit(config):
    from streamlit import config as known

    names = set(known.get_config_options())

    def walk(part: dict, prefix: str):
        for name, value in part.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{name}.")
            else:
                assert prefix + name in names, f"{prefix}{name} is no option of Streamlit"

    walk(config, "")


def test_it_listens_here_only_and_sends_nothing(config):
    assert config["server"]["address"] == "127.0.0.1"
    assert config["server"]["enableXsrfProtection"] is True
    assert config["server"]["fileWatcherType"] == "none"
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] in ("type", "none")


def test_pages_and_figures_share_their_colours(config):
    colours = config["theme"]
    assert tuple(colours["chartCategoricalColors"]) == palette.CATEGORIES
    assert tuple(colours["chartSequentialColors"]) == palette.LAYER_RAMP
    assert tuple(colours["chartDivergingColors"]) == palette.DIVERGING
    for mode in ("light", "dark"):
        page, paper = colours[mode], theme._INK[mode]
        assert (page["backgroundColor"], page["textColor"]) == paper[:2]
        assert page["primaryColor"] == palette.SELECTED


def test_the_logo_is_a_plain_drawing():
    logo = (ROOT / "assets" / "logo.svg").read_text(encoding="utf-8")
    assert logo.startswith("<svg")
    for word in ("<script", "href", "<image", "<style"):
        assert word not in logo
