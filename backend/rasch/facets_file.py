"""Ratings as a specification and data file for Facets (Linacre), to be checked against it."""

from collections.abc import Iterator

from backend.rasch.ratings import CRITERION, Ratings

_UNSAFE = str.maketrans({",": " ", "=": " ", ";": " ", "\n": " ", "\r": " ", "\t": " "})


def facets_text(ratings: Ratings, *, scale: str = "partial_credit", title: str = "Ratings") -> str:
    """The whole file as text: items float, all other facets are centred.

    Each criterion has a scale of its own (`#`), or all share one (`?`). Categories are the codes
    0, 1, ... of these ratings.
    """
    return "\n".join(_lines(ratings, scale, title)) + "\n"


def _lines(ratings: Ratings, scale: str, title: str) -> Iterator[str]:
    facets = (*ratings.facets, CRITERION)
    marks = ["?"] * (len(facets) - 1) + ["#" if scale == "partial_credit" else "?"]
    most = int(ratings.most.max())
    yield f"Title = {title.translate(_UNSAFE)}"
    yield f"Facets = {len(facets)}"
    yield "Positive = 1"
    yield "Noncenter = 1"
    yield f"Model = {','.join(marks)},R{most}"
    yield "Labels ="
    for number, facet in enumerate(facets, 1):
        yield f"{number},{facet.translate(_UNSAFE)}"
        for at, name in enumerate(ratings.labels[facet], 1):
            yield f"{at}={str(name).translate(_UNSAFE)}"
        yield "*"
    yield "Data ="
    columns = [(ratings.codes[facet] + 1).tolist() for facet in facets]
    for line in zip(*columns, ratings.x.tolist(), strict=True):
        yield ",".join(map(str, line))
