"""How many tastes there are: fits over K and seeds, scored on what was held out."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from backend.preferences.accuracy import Accuracy, Difference, accuracy, difference, hits, log_loss
from backend.preferences.baselines import bradley_terry, linear_bradley_terry, majority
from backend.preferences.choices import Choices
from backend.preferences.fitting import Training, fit
from backend.preferences.form import Form
from backend.preferences.locating import Located, locate, prior_of
from backend.preferences.splits import Split, place_within, split, split_items
from backend.preferences.tastes import Tastes

FEW = (1, 2, 5, 10, 20, 50)  # answers of a new person
PLACED_BY = 20  # answers that place new people before the rest of theirs is predicted

Say = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """What is studied: the choices and the vectors of what was chosen between."""

    choices: Choices
    X: np.ndarray  # (M, d)
    C: np.ndarray | None = None  # (Q, d') of prompts


@dataclass
class Score:
    """One fit's (or baseline's) accuracy on one part of the data."""

    name: str  # "PAL", or a baseline's
    k: int
    seed: int
    split: str
    accuracy: Accuracy
    loss: float = np.nan


@dataclass
class Study:
    """Every score, and for each seed and K the model with its hits on the held-out pairs."""

    scores: list[Score] = field(default_factory=list)
    splits: dict[int, Split] = field(default_factory=dict)
    tastes: dict[tuple[int, int], Tastes] = field(default_factory=dict)  # (seed, k)
    hit: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)  # on split.test

    def gain(self, u: np.ndarray, k: int, over: int) -> Difference:
        """Accuracy of K=k minus that of K=over on held-out pairs, all seeds, people resampled."""
        seeds = sorted({s for s, _ in self.hit})
        a, b = (np.concatenate([self.hit[s, kk] for s in seeds]) for kk in (k, over))
        who = np.concatenate([u[self.splits[s].test] for s in seeds])
        return difference(a, b, who)

    def knee(self, u: np.ndarray, ks: list[int]) -> int:
        """The smallest K that is not clearly worse than the best one on held-out pairs."""
        means = {k: np.mean([h.mean() for (_, kk), h in self.hit.items() if kk == k]) for k in ks}
        best = max(ks, key=lambda k: means[k])
        return next(k for k in ks if k == best or self.gain(u, best, k).low <= 0)


def study(
    subject: Subject, form: Form, ks: list[int], *, seeds: list[int], training: Training,
    say: Say, test_share: float = 0.2, new_share: float = 0.2,
) -> Study:  # fmt: skip
    """Fit every K at every seed (split and start) and score it on train, test and new people."""
    choices, out = subject.choices, Study()
    for seed in seeds:
        part = split(choices, seed=seed, test_share=test_share, new_share=new_share).checked()
        out.splits[seed] = part
        out.scores += _baselines(subject, part, seed)
        for k in ks:
            say(f"{k} tastes, seed {seed}")
            tastes = fit(
                choices, part.train, subject.X, form.with_k(k), C=subject.C, training=training,
                seed=seed, check=lambda k=k, seed=seed: say(f"{k} tastes, seed {seed}"),
            )  # fmt: skip
            out.tastes[seed, k] = tastes
            for name, rows in (("train", part.train), ("test", part.test)):
                margins = margins_of(tastes, choices, rows)
                hit = hits(margins, choices.y[rows])
                if name == "test":
                    out.hit[seed, k] = hit
                out.scores.append(Score(
                    "PAL", k, seed, name, accuracy(hit, choices.u[rows]),
                    log_loss(margins, choices.y[rows]),
                ))  # fmt: skip
            if len(part.new):
                out.scores.append(_new_people(tastes, choices, part, seed))
    return out


def margins_of(tastes: Tastes, choices: Choices, rows: np.ndarray) -> np.ndarray:
    """Logits of P(b) in these rows, by the people's own fitted weights."""
    W = tastes.weights[choices.u[rows]]
    q = None if choices.q is None else choices.q[rows]
    return tastes.margins(W, choices.left[rows], choices.right[rows], q)


def _baselines(subject: Subject, part: Split, seed: int) -> list[Score]:
    """One taste for all, learned from known people's pairs, on held-out pairs and new people."""
    choices, out = subject.choices, []
    for name, rows in (("test", part.test), ("new", part.new)):
        if not len(rows):
            continue
        found = {
            "majority": majority(choices, part.train, rows),
            "Bradley-Terry on options": bradley_terry(choices, part.train, rows),
            "Bradley-Terry on vectors": linear_bradley_terry(
                choices, subject.X, part.train, rows
            ),
        }  # fmt: skip
        if choices.probability is not None:
            p = np.clip(choices.probability[rows], 1e-12, 1 - 1e-12)
            found["what made the choices"] = np.log(p / (1 - p))
        for kind, margins in found.items():
            hit = hits(margins, choices.y[rows])
            loss = log_loss(margins, choices.y[rows]) if kind != "majority" else np.nan
            out.append(Score(kind, 0, seed, name, accuracy(hit, choices.u[rows]), loss))
    return out


def _new_people(tastes: Tastes, choices: Choices, part: Split, seed: int) -> Score:
    """New people, placed by up to 20 (at most half) of their answers, predicted on the rest."""
    place = place_within(choices.u[part.new], np.random.default_rng(seed))
    counts = np.bincount(choices.u[part.new], minlength=len(choices.persons))
    first = place < np.minimum(PLACED_BY, counts // 2)[choices.u[part.new]]
    found = place_people(tastes, choices, part.new[first], known=part.train)
    rest = part.new[~first]
    margins = margins_of(tastes.with_people(found.logits), choices, rest)
    hit = hits(margins, choices.y[rest])
    return Score("PAL", tastes.form.k, seed, "new", accuracy(hit, choices.u[rest]),
                 log_loss(margins, choices.y[rest]))  # fmt: skip


def place_people(
    tastes: Tastes, choices: Choices, rows: np.ndarray, *, known: np.ndarray
) -> Located:
    """Everyone's weights by the choices in `rows` alone, under the prior of the known people."""
    q = None if choices.q is None else choices.q[rows]
    prior = prior_of(tastes.logits[np.unique(choices.u[known])])
    return locate(tastes, choices.u[rows], choices.left[rows], choices.right[rows],
                  choices.y[rows], people=len(choices.persons), prior=prior, q=q)  # fmt: skip


def few_shot(
    tastes: Tastes, choices: Choices, part: Split, *, seed: int
) -> list[tuple[int, Accuracy]]:
    """Accuracy on new people's remaining answers after 1, 2, 5, ... of theirs; one test set.

    Only people with more answers than the largest count that half of the new people reach are
    asked; the rest of their answers after that many is predicted at every count.
    """
    rows = part.new
    if not len(rows):
        return []
    counts = np.bincount(choices.u[rows], minlength=len(choices.persons))
    typical = int(np.median(counts[counts > 0]))
    asked = [n for n in FEW if n <= typical // 2] or [1]
    most = asked[-1]
    place = place_within(choices.u[rows], np.random.default_rng(seed))
    enough = counts[choices.u[rows]] > most
    rest = rows[enough & (place >= most)]
    out = []
    for n in (0, *asked):
        given = rows[enough & (place < n)]
        found = place_people(tastes, choices, given, known=part.train)
        margins = margins_of(tastes.with_people(found.logits), choices, rest)
        out.append((n, accuracy(hits(margins, choices.y[rest]), choices.u[rest])))
    return out


def new_options(
    subject: Subject, form: Form, ks: list[int], *, seed: int, training: Training
) -> list[Score]:
    """Accuracy on choices with options that no training choice had; empty if there are none."""
    train, test = split_items(subject.choices, seed=seed)
    choices, out = subject.choices, []
    if not len(train) or not len(test):
        return []
    for k in ks:
        tastes = fit(choices, train, subject.X, form.with_k(k), C=subject.C, training=training,
                     seed=seed)  # fmt: skip
        margins = margins_of(tastes, choices, test)
        hit = hits(margins, choices.y[test])
        out.append(Score("PAL", k, seed, "option", accuracy(hit, choices.u[test]),
                         log_loss(margins, choices.y[test])))  # fmt: skip
    return out


def shuffled_gain(
    subject: Subject, form: Form, k: int, *, seed: int, training: Training
) -> Difference:
    """The gain of K=k over K=1 when choices are dealt to people at random: what chance gives."""
    rng = np.random.default_rng(seed)
    choices = replace(subject.choices, u=rng.permutation(subject.choices.u))
    part = split(choices, seed=seed, new_share=0.0)
    hit = []
    for number in (k, 1):
        tastes = fit(choices, part.train, subject.X, form.with_k(number), C=subject.C,
                     training=training, seed=seed)  # fmt: skip
        hit.append(hits(margins_of(tastes, choices, part.test), choices.y[part.test]))
    return difference(hit[0], hit[1], choices.u[part.test])
