"""Names of the places where a model can be read.

`embed`, `resid_pre.3`, `attn_out.3`, `mlp_out.3`, `resid_post.3`, `final`, `head` for stacks of
blocks; `block.3`, `main.3`, `skip.3`, `penultimate`, `head` for convolutional nets. Numbers are
0-based block indices. TransformerLens hook names are accepted as aliases.
"""

import re
from fnmatch import fnmatchcase

from backend.errors import CaptureError

_ALIASES = (
    (r"blocks\.(\d+)\.hook_resid_pre", r"resid_pre.\1"),
    (r"blocks\.(\d+)\.hook_resid_post", r"resid_post.\1"),
    (r"blocks\.(\d+)\.hook_out", r"resid_post.\1"),
    (r"blocks\.(\d+)\.hook_in", r"resid_pre.\1"),
    (r"blocks\.(\d+)\.hook_attn_out", r"attn_out.\1"),
    (r"blocks\.(\d+)\.attn\.hook_out", r"attn_out.\1"),
    (r"blocks\.(\d+)\.hook_mlp_out", r"mlp_out.\1"),
    (r"blocks\.(\d+)\.mlp\.hook_out", r"mlp_out.\1"),
    (r"hook_embed", "embed"),
    (r"ln_final\.hook_normalized", "final"),
    (r"ln_final\.hook_out", "final"),
)


def canonical(name: str) -> str:
    """The site's own name for a TransformerLens alias; other names pass unchanged."""
    for pattern, ours in _ALIASES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, ours, name)
    return name


def choose_sites(wanted: str | tuple[str, ...], available: tuple[str, ...]) -> tuple[str, ...]:
    """Sites for a comma list with wildcards, in the model's own order.

    `all` stands for the stream: embed and every block's output; `last` for the site that the head
    reads; a name that begins with `~` may match nothing. Raises CaptureError with the list of what
    there is for any other name that matches nothing.
    """
    names = wanted.split(",") if isinstance(wanted, str) else wanted
    chosen: set[str] = set()
    for name in filter(None, (n.strip() for n in names)):
        if name == "all":
            chosen |= {s for s in available if re.match(r"embed$|resid_post\.|block\.", s)}
            continue
        if name == "last":
            chosen.add(last_site(available))
            continue
        optional, name = name.startswith("~"), name.removeprefix("~")
        found = [s for s in available if fnmatchcase(s, canonical(name))]
        if not found and not optional:
            raise CaptureError(
                f"This model has no site {name!r}.", f"It has: {summarise_sites(available)}."
            )
        chosen.update(found)
    if not chosen:
        raise CaptureError("No site was named.", f"Choose from: {summarise_sites(available)}.")
    return tuple(s for s in available if s in chosen)


def last_site(available: tuple[str, ...]) -> str:
    """The deepest site before the head: `final`, `penultimate`, or the last block's output."""
    ends = [s for s in available if s in ("final", "penultimate")]
    return (ends or [s for s in available if s.startswith(("resid_post.", "block."))])[-1]


def summarise_sites(sites: tuple[str, ...]) -> str:
    """`resid_post.0-29` instead of thirty names."""
    groups: dict[str, list[int]] = {}
    for site in sites:
        stem, _, number = site.partition(".")
        groups.setdefault(stem, []).extend([int(number)] if number else [])
    parts = []
    for stem, numbers in groups.items():
        if not numbers:
            parts.append(stem)
        elif len(numbers) > 1 and len(numbers) == numbers[-1] - numbers[0] + 1:
            parts.append(f"{stem}.{numbers[0]}-{numbers[-1]}")
        else:
            parts.append(f"{stem}.{','.join(map(str, numbers))}")
    return ", ".join(parts)
