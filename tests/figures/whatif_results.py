"""Results of the analyses of changed models, as they are given, for any number of blocks."""

import numpy as np
import pyarrow as pa

from backend.analyses.result import Result

KEY = "0123456789abcdef0123456789abcdef"
WORDS = [" If", " Tom", " has", " three", " apples", ",", " and", "\n", " <b>", " eats", " one"]


def result_of(analysis: str, scalars: dict, tables: dict, **more: object) -> Result:
    provenance = {
        "key": KEY,
        "analysis": analysis,
        "models": [{"ref": "demo:smollm2", "id": "9f2b7c1d22aa", "dtype": "float32"}],
        "data_name": "sums & stories",
        "dtype": "float32",
        "n": scalars.get("n"),
        "of": 20000,
        "whatif": "",
        "seed": 7,
    } | more
    built = {name: pa.table(columns) for name, columns in tables.items()}
    return Result(KEY, analysis, scalars, built, "A sentence.", provenance)


def depth(blocks: int = 6, *, tokens: int = 640) -> Result:
    scalars = {"n": 10, "tokens": tokens, "blocks": blocks, "part": "layer"}
    tables = {
        "layers": _layers(blocks),
        "skip": _skip(blocks),
        "output": _output(blocks),
        "lens": _lens(blocks),
    }
    return result_of("depth", scalars, tables)


def _layers(blocks: int) -> dict:
    u, rng = np.linspace(0, 1, blocks), np.random.default_rng(3)
    columns: dict = {"layer": np.arange(blocks, dtype=np.int32)}
    columns["stream_norm"] = 20 * np.exp(3 * u)
    for i, part in enumerate(("attn", "mlp", "layer")):
        relative = (0.1 * (i + 1) * (1 + 2 * (u - 0.6) ** 2)) * np.exp(
            0.1 * rng.normal(size=blocks)
        )
        relative[0] = 2.0 * (i + 1)
        cosine = -0.25 + 0.5 * u + 0.08 * i + 0.03 * rng.normal(size=blocks)
        columns[f"{part}_norm"] = relative * columns["stream_norm"]
        for name, value, half in (("relative", relative, 0.1 * relative), ("cosine", cosine, 0.03)):
            columns[f"{part}_{name}"] = value
            columns[f"{part}_{name}_low"] = value - half
            columns[f"{part}_{name}_high"] = value + half
        columns[f"{part}_relative_max"] = relative * 3
    columns["stream_cosine"] = 0.9 + 0.05 * u
    return columns


def _skip(blocks: int) -> dict:
    """Effect of s on l: 0 before, 1 at s itself (current), falling with distance after."""
    skipped, layer = (x.ravel().astype(np.int32) for x in np.indices((blocks, blocks)))
    distance = layer - skipped
    after = np.exp(-np.maximum(distance, 0) / 6) * (1.4 - skipped / blocks)
    tables = []
    for mode in ("current", "future"):
        effect = np.where(distance > 0, after * (1 if mode == "current" else 0.4), 0.0)
        if mode == "current":
            effect[distance == 0] = 1.0
        tables.append((mode, effect))
    n = blocks * blocks
    effect = np.concatenate([e for _, e in tables])
    return {
        "skipped": np.tile(skipped, 2),
        "layer": np.tile(layer, 2),
        "mode": [mode for mode, _ in tables for _ in range(n)],
        "effect": effect,
        "mean": effect / 2,
        "p95": effect * 0.8,
        "row": np.tile(np.where(skipped % 2, -1, 4), 2),
        "position": np.full(2 * n, 8),
        "token": [WORDS[int(s) % len(WORDS)] for s in np.tile(skipped, 2)],
    }


def _output(blocks: int) -> dict:
    mean = 0.2 + 0.3 * np.cos(np.linspace(0, 6, blocks)) ** 2
    mean[0] = 0.9
    both = np.concatenate([mean, mean * np.linspace(0.8, 0, blocks)])
    return {
        "skipped": np.tile(np.arange(blocks, dtype=np.int32), 2),
        "mode": ["current"] * blocks + ["future"] * blocks,
        "change": np.minimum(both * 1.8, 1.41),
        "mean": both,
        "low": both * 0.85,
        "high": both * 1.2,
    }


def _lens(blocks: int) -> dict:
    u = np.linspace(0, 1, blocks + 1)
    kl, top5 = 12 * (1 - u) ** 1.5, u**2
    return {
        "layer": np.arange(blocks + 1, dtype=np.int32),
        "kl": kl,
        "kl_low": kl * 0.9,
        "kl_high": kl * 1.1,
        "top5": top5,
        "top5_low": top5 * 0.95,
        "top5_high": np.minimum(top5 * 1.05, 1),
    }


def hops(blocks: int = 6) -> Result:
    groups, measures = ["1 hop", "2 hops", "3 hops"], ["effect", "output"]
    pairs = [(g, m) for m in measures for g in groups]
    score = np.array([0.40, 0.42, 0.41, 0.55, 0.5, 0.52]) * (blocks - 1)
    columns = {
        "group": [g for g, _ in pairs],
        "measure": [m for _, m in pairs],
        "n": [20, 20, 18] * 2,
        "score": score,
        "low": score - 0.05 * blocks,
        "high": score + 0.06 * blocks,
        "answered": [0.9, 0.5, 0.25] * 2,
    }
    return result_of("hops", {"n": 58, "blocks": blocks}, {"scores": columns})


def maps(blocks: int = 6, *, words: list[str] = WORDS) -> Result:
    layer, position = (x.ravel() for x in np.indices((blocks + 1, len(words))))
    effect = np.where(layer <= blocks * (0.3 + 0.5 * position / len(words)), 0.8, 0.05)
    token = [words[p] for p in position]
    within = layer < blocks
    value = 0.3 * np.sin(position + layer / 3)
    tables = {
        "erasure": {"layer": layer, "position": position, "token": token, "effect": effect},
        "attribution": {
            "layer": layer[within],
            "position": position[within],
            "token": [t for t, keep in zip(token, within, strict=True) if keep],
            "value": value[within],
        },
    }
    return result_of("maps", {"n": 1}, tables)


def two_models(shallow: int = 4, deep: int = 8) -> Result:
    source, target = (x.ravel() for x in np.indices((shallow + 1, deep + 1)))
    error = 0.25 + 1.1 * np.abs(source / shallow - target / deep)
    columns = {
        "source": source,
        "target": target,
        "error": error,
        "low": error - 0.02,
        "high": error + 0.02,
        "r2": 1 - error**2 / 2,
        "control": np.full(len(error), 1.02),
    }
    models = [{"ref": "demo:shallow", "id": "aa11bb22"}, {"ref": "demo:deep", "id": "cc33dd44"}]
    return result_of("layer_map", {"n": 900}, {"map": columns}, models=models)


def quantization(blocks: int = 6, *, high: int = 4, low: int = 3, variants: bool = True) -> Result:
    scalars = {
        "n": 16,
        "tokens": 1008,
        "base_loss": 2.674,
        "high": high,
        "low": low,
        "blocks": blocks,
    }
    scores = _scores(blocks)
    widths, curve = _widths(scores, blocks), _curve(scores, blocks, high, low, variants)
    tables = {"scores": scores, "widths": widths, "curve": curve}
    return result_of("quantization", scalars, tables)


def _scores(blocks: int) -> dict:
    rng, layer = np.random.default_rng(5), np.arange(blocks, dtype=np.int32)
    lim = -0.96 + 0.03 * rng.random(blocks)
    lim[[0, 1, -1]] = -0.004, -0.81, -0.61
    zd = 0.14 + 0.012 * rng.random(blocks)
    zd[0] = 0.126
    sensitivity = 0.02 + 0.3 * (lim + 1) + 0.02 * rng.random(blocks)
    return {
        "layer": layer,
        "lim": lim,
        "lim_flattened": lim * 0.98,
        "zd": zd,
        "zd_two_sided": 2 * zd,
        "sensitivity": sensitivity,
        "sensitivity_low": sensitivity - 0.015,
        "sensitivity_high": sensitivity + 0.02,
        "pruned": sensitivity * 8,
        "lim_rank": _rank(-lim),
        "zd_rank": _rank(zd),
    }


def _rank(value: np.ndarray) -> np.ndarray:
    rank = np.empty(len(value), dtype=np.int32)
    rank[np.argsort(value, kind="stable")] = np.arange(1, len(value) + 1)
    return rank


def _widths(scores: dict, blocks: int) -> dict:
    whole = {8: 0.004, 4: 0.13, 3: 1.77, 2: 10.9}
    lines = [(-1, bits, change) for bits, change in whole.items()]
    for bits, change in whole.items():
        share = scores["sensitivity"] / scores["sensitivity"].sum()
        lines += [(i, bits, change * float(share[i])) for i in range(blocks)]
    layer, bits, change = (np.array(x) for x in zip(*lines, strict=True))
    return {
        "layer": layer.astype(np.int32),
        "bits": bits.astype(np.int32),
        "loss": 2.674 + change,
        "change": change,
        "low": change * 0.8,
        "high": change * 1.2,
    }


def _curve(scores: dict, blocks: int, high: int, low: int, variants: bool) -> dict:
    """Loss grows with the sensitivity of what was lowered, from all high to all low."""
    gain, rng = scores["sensitivity"] / scores["sensitivity"].sum(), np.random.default_rng(1)
    orders = {"lim": np.argsort(scores["lim"]), "zd": np.argsort(-scores["zd"])}
    orders["sensitivity"] = np.argsort(gain)
    orders |= {f"reversed-{name}": orders[name][::-1] for name in ("lim", "zd")}
    orders |= {f"random-{i}": rng.permutation(blocks) for i in range(5)}
    orders["pruned-lim"] = orders["lim"]
    if variants:
        orders |= {"lim-flattened": orders["lim"], "zd-two-sided": orders["zd"]}
    lines = []
    for name, order in orders.items():
        for k in np.unique(np.linspace(0, blocks, 11).round().astype(int)).tolist():
            last, to = (8.0, 0) if name.startswith("pruned") else (1.64, low)
            loss = 2.804 + last * float(gain[order[:k]].sum()) ** (0.6 if to == 0 else 1)
            lines.append((name, k, high + (to - high) * k / blocks, loss))
    order, k, bits, loss = zip(*lines, strict=True)
    return {
        "order": list(order),
        "low_layers": np.array(k, dtype=np.int32),
        "average_bits": np.array(bits),
        "file_bits": np.array(bits) + 3.5,
        "loss": np.array(loss),
        "low": np.array(loss) - 0.04,
        "high": np.array(loss) + 0.05,
    }


def whatif(*, words: list[str] = WORDS) -> Result:
    p = np.array([0.41, 0.2, 0.1, 0.06, 0.02, 0.01])
    tables = {
        "next": {
            "rank": np.arange(1, 7, dtype=np.int32),
            "token": [" two", " three", " four", " <i>", "\n", " none"],
            "base_probability": p,
            "probability": p[[2, 0, 1, 3, 5, 4]],
        },
        "tokens": {
            "position": np.arange(1, len(words) + 1, dtype=np.int32),
            "token": words,
            "base_loss": 2 + np.sin(np.arange(len(words))),
            "loss": 2.4 + 1.3 * np.sin(np.arange(len(words))),
        },
    }
    scalars = {
        "n": 1,
        "tokens": len(words),
        "base_loss": 2.01,
        "loss": 2.42,
        "change": 0.41,
        "change_low": 0.2,
        "change_high": 0.62,
        "text": "A story.\n" + "".join(words),
    }
    return result_of("whatif", scalars, tables, whatif="skip 3; 4 bits in 5-9")
