"""Small results as the analyses give them: 6 blocks, 12 rows."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.result import Result

SITES = ["embed", *(f"resid_post.{i}" for i in range(6))]
KEY = "0123456789abcdef0123456789abcdef"


def provenance_of(analysis: str, **more: object) -> dict:
    return {
        "key": KEY,
        "analysis": analysis,
        "version": 1,
        "models": [{"ref": "demo:smollm2", "id": "9f2b7c1d22aa", "dtype": "float32"}],
        "data": "ab" * 16,
        "data_name": "facts & <b>figures</b>",
        "data_ref": "demo:facts",
        "pooling": "last",
        "dtype": "float32",
        "sites": "all",
        "n": 12,
        "of": 20000,
        "whatif": "",
        "seed": 7,
        "parameters": {"k": 3},
        "oracle": [{"verdict": "agrees", "largest": 2.1e-6, "top1": 1.0, "rows": 12}],
        "seconds": 0.5,
    } | more


@pytest.fixture
def provenance() -> dict:
    return provenance_of("similarity")


@pytest.fixture
def similarity() -> Result:
    d = len(SITES)
    a, b = (x.ravel() for x in np.indices((d, d)))
    cka = 1 - 0.1 * np.abs(a - b)
    columns = {
        "layer_a": [SITES[i] for i in a],
        "layer_b": [SITES[i] for i in b],
        "cka": cka,
        "low": cka - 0.05,
        "high": cka + 0.03,
        "null": np.full(d * d, 0.013),
        "mknn": cka**2,
        "mknn_low": cka**2 - 0.02,
        "mknn_high": cka**2 + 0.02,
    }
    tables = {"similarity": pa.table(columns)}
    said = provenance_of("similarity")
    return Result(KEY, "similarity", {"n": 10, "chance": 0.25}, tables, "They are alike.", said)


@pytest.fixture
def profile() -> Result:
    u = np.linspace(0, 1, len(SITES))
    columns = {
        "site": SITES,
        "norm_mean": np.exp(1 + 5 * u),
        "norm_low": np.exp(0.9 + 5 * u),
        "norm_high": np.exp(1.1 + 5 * u),
        "effective_rank": np.full(len(SITES), np.nan),
        "anisotropy": 0.1 + 0.5 * u,
        "anisotropy_low": 0.05 + 0.5 * u,
        "anisotropy_high": 0.15 + 0.5 * u,
        "probe": 0.3 + 0.5 * u,
        "probe_low": 0.2 + 0.5 * u,
        "probe_high": 0.35 + 0.5 * u,
        "probe_control": np.full(len(SITES), 0.17),
        "probe_majority": np.full(len(SITES), 0.22),
    }
    scalars = {"n": 12, "probe_column": "topic"}
    tables = {"profile": pa.table(columns)}
    return Result(KEY, "profile", scalars, tables, "Topic is read.", provenance_of("profile"))


@pytest.fixture
def lens() -> Result:
    """Row 5: three positions, layers 0 to 6, two words each; the last word is always right."""
    read = [" The", " sky", " is"]
    words, following = [], []
    for position, token_in in enumerate(read):
        actual = [*read, " blue"][position + 1]
        for layer, site in enumerate([*SITES[:-1], "final"]):
            sure = (layer + 1) / 8
            first = actual if layer > 2 else "<a href='x'>\n"
            pair = ((1, first, sure), (2, " of", sure / 4))
            words += [(5, position, token_in, layer, site, *one) for one in pair]
            rank = 1 if layer > 2 else 10 ** (3 - layer)
            fact = (actual, rank, sure, 2.0 - sure, 6.0 - layer)
            following.append((5, position, token_in, layer, site, *fact))
    common = ["row", "position", "token_in", "layer", "site"]
    facts = ["actual", "actual_rank", "actual_probability", "entropy", "kl_to_output"]
    tables = {
        "lens": _table([*common, "rank", "token", "probability"], words),
        "next": _table([*common, *facts], following),
    }
    return Result(KEY, "lens", {"n": 3, "texts": 1}, tables, "Settled.", provenance_of("lens"))


def _table(names: list[str], rows: list[tuple]) -> pa.Table:
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def cloud(n: int, *, sites: list[str] = SITES) -> pa.Table:
    """Points on circles that grow with depth; rows are 0, 10, 20, ..."""
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    xy = [np.c_[np.cos(angle), np.sin(angle)] * (i + 1) for i in range(len(sites))]
    x, y = np.concatenate(xy).astype(np.float32).T
    rows = np.tile(np.arange(n) * 10, len(sites))
    return pa.table({"row": rows, "site": np.repeat(np.array(sites, object), n), "x": x, "y": y})


@pytest.fixture
def make_cloud():
    return cloud
