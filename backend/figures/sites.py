"""How sites and layers are named, ordered and spaced along an axis."""

import re
from collections.abc import Iterable, Sequence

_SITE = re.compile(r"^(?P<stage>[a-z_]+)(?:\.(?P<index>\d+))?$")
_WITHIN_BLOCK = {"resid_pre": 0, "skip": 1, "attn_out": 1, "main": 2, "mlp_out": 2}
_OUTSIDE = {"embed": (-1, "embedding", "emb"), "final": (10**6, "final norm", "norm")}
_OUTSIDE |= {"penultimate": (10**6, "penultimate", "penult"), "head": (10**6 + 1, "output", "out")}
_STAGE_WORDS = {"attn_out": " attention", "mlp_out": " MLP", "skip": " skip", "main": " main"}


def parse_site(site: str) -> tuple[str, int | None]:
    """`attn_out.3` -> ("attn_out", 3); `embed` -> ("embed", None); other names stay whole."""
    match = _SITE.match(site)
    if match is None:
        return site, None
    index = match["index"]
    return match["stage"], None if index is None else int(index)


def depth_order(site: str) -> tuple[int, int]:
    """A sort key that runs from the first site to the last."""
    stage, index = parse_site(site)
    if index is None:
        return _OUTSIDE.get(stage, (10**6 + 2, "", ""))[0], 0
    return index, _WITHIN_BLOCK.get(stage, 3)


def sort_sites(sites: Iterable[str]) -> list[str]:
    """Each site once, first to last."""
    return sorted(set(sites), key=lambda site: (*depth_order(site), site))


def count_blocks(sites: Iterable[str]) -> int:
    """How many blocks these sites tell of: the largest block number plus one, or 0."""
    return max((index + 1 for _, index in map(parse_site, sites) if index is not None), default=0)


def depth_percent(index: int, n_blocks: int) -> str:
    """Block `index` (from 0) of `n_blocks` as relative depth, such as "40 %"."""
    return f"{100 * index / n_blocks:.0f} %"


def site_label(site: str, n_blocks: int = 0) -> str:
    """A site in words: `resid_post.12` of 30 blocks is "block 12 (40 %)"."""
    stage, index = parse_site(site)
    if index is None:
        return _OUTSIDE[stage][1] if stage in _OUTSIDE else site
    before = "before " if stage == "resid_pre" else ""
    depth = f" ({depth_percent(index, n_blocks)})" if n_blocks > 0 else ""
    return f"{before}block {index}{_STAGE_WORDS.get(stage, '')}{depth}"


def layer_label(layer: int, n_layers: int) -> str:
    """An integer layer in words: 0 is the embedding, i + 1 the stream after block i.

    `n_layers` counts the integers in use; the last one is the model's own output, which stands
    for the last block.
    """
    if layer == 0:
        return "embedding"
    if layer == n_layers - 1:
        return "output"
    return site_label(f"resid_post.{layer - 1}", n_layers - 1)


def short_label(site: str) -> str:
    """A site as a tick: the block number, or a short word outside the blocks."""
    stage, index = parse_site(site)
    if index is None:
        return _OUTSIDE[stage][2] if stage in _OUTSIDE else site
    return f"{index}{_STAGE_WORDS.get(stage, '').replace('attention', 'attn')}"


def layer_ticks(n_layers: int, *, most: int = 8) -> tuple[list[int], list[str]]:
    """Ticks for integer layers: embedding, block numbers with relative depth, output."""
    sites = ["embed"] + [f"resid_post.{i}" for i in range(n_layers - 2)] + ["head"]
    return site_ticks(sites[:n_layers], most=most, n_blocks=n_layers - 1)


def site_ticks(
    sites: Sequence[str], *, most: int = 8, depth: bool = True, n_blocks: int = 0
) -> tuple[list[int], list[str]]:
    """Where to put ticks along ordered sites, and what to write there.

    Parameters
    ----------
    sites : ordered; a site's place on the axis is its position in this sequence.
    most : about how many block ticks there may be.
    depth : whether a second line gives the relative depth.
    n_blocks : of the whole model, if the sites do not tell.

    Returns
    -------
    positions and texts. Sites outside the blocks keep a tick where there is room.
    """
    n_blocks = n_blocks or count_blocks(sites)
    blocks = [(at, *parse_site(site)) for at, site in enumerate(sites)]
    numbers = sorted({index for _, _, index in blocks if index is not None})
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100) if len(numbers) / s <= most), 200)
    ticks: dict[int, str] = {}
    seen: set[int] = set()
    for at, _, index in blocks:
        if index is None or index % step or index in seen:
            continue
        seen.add(index)
        ticks[at] = f"{index}<br>{depth_percent(index, n_blocks)}" if depth else str(index)
    room = -(-len(sites) // (most + 3)) if depth else max(1, 2 * len(sites) // (3 * most))
    for at, stage, index in blocks:
        crowded = any(abs(at - other) < room for other in ticks if other != at)
        if index is None and (stage == "embed" or not crowded):
            if stage == "embed":  # the first block's tick gives way to the embedding's
                ticks = {other: text for other, text in ticks.items() if other - at >= room}
            ticks[at] = short_label(stage)
    return sorted(ticks), [ticks[at] for at in sorted(ticks)]
