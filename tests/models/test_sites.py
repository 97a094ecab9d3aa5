"""Names of sites: aliases, wildcards, order, and refusals that say what there is."""

import pytest

from backend.errors import CaptureError
from backend.models.sites import canonical, choose_sites, summarise_sites

STREAM = (
    "embed",
    *(f"{stem}.{i}" for i in range(12) for stem in ("resid_pre", "attn_out", "resid_post")),
    "final",
    "head",
)
CONV = ("embed", "skip.0", "block.0", "block.1", "skip.2", "block.2", "penultimate")


@pytest.mark.parametrize(
    ("alias", "site"),
    [
        ("blocks.3.hook_resid_pre", "resid_pre.3"),
        ("blocks.11.hook_resid_post", "resid_post.11"),
        ("blocks.0.hook_attn_out", "attn_out.0"),
        ("blocks.0.attn.hook_out", "attn_out.0"),
        ("blocks.2.hook_mlp_out", "mlp_out.2"),
        ("hook_embed", "embed"),
        ("ln_final.hook_normalized", "final"),
        ("resid_post.4", "resid_post.4"),
        ("blocks.x.hook_resid_pre", "blocks.x.hook_resid_pre"),
    ],
)
def test_aliases(alias, site):
    assert canonical(alias) == site


def test_all_is_the_stream():
    assert choose_sites("all", STREAM) == ("embed", *(f"resid_post.{i}" for i in range(12)))
    assert choose_sites("all", CONV) == ("embed", "block.0", "block.1", "block.2")


def test_lists_wildcards_and_aliases_come_in_the_models_order_once():
    wanted = "final, resid_post.1?, blocks.1.hook_attn_out,attn_out.1,embed,"
    assert choose_sites(wanted, STREAM) == (
        "embed", "attn_out.1", "resid_post.10", "resid_post.11", "final"
    )  # fmt: skip
    assert choose_sites(("head", "attn_out.0"), STREAM) == ("attn_out.0", "head")


@pytest.mark.parametrize("wanted", ["resid_post.12", "embed,nope", "mlp_out.*", "all,block.0"])
def test_a_missing_site_is_refused_with_what_there_is(wanted):
    with pytest.raises(CaptureError, match=r"It has: embed, resid_pre.0-11, attn_out.0-11"):
        choose_sites(wanted, STREAM)


@pytest.mark.parametrize("wanted", ["", " , ", ()])
def test_no_site_is_refused(wanted):
    with pytest.raises(CaptureError, match="No site was named. Choose from: embed"):
        choose_sites(wanted, STREAM)


def test_summaries_are_short():
    assert summarise_sites(STREAM) == (
        "embed, resid_pre.0-11, attn_out.0-11, resid_post.0-11, final, head"
    )
    assert summarise_sites(CONV) == "embed, skip.0,2, block.0-2, penultimate"


def test_a_name_that_may_be_missing_and_the_last_site():
    available = ("embed", "block.0", "main.0", "skip.0", "penultimate", "head")
    assert choose_sites("last,~main.*,~attn_out.*", available) == ("main.0", "penultimate")
    assert choose_sites("last", ("embed", "resid_post.0", "resid_post.1")) == ("resid_post.1",)
    with pytest.raises(CaptureError, match="no site 'attn_out"):
        choose_sites("attn_out.*", available)
