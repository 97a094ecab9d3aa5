"""The tethered model for sliders: minimise it near collapse and hold the answer against theory."""

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from backend.collapse.levels import Level, level_between, levels_within, staircase
from backend.collapse.response import respond
from backend.collapse.tethered import is_large, minimise, with_noise
from backend.collapse.unconstrained import (
    check,
    decay,
    lowest_value,
    minimiser,
    nc1_ratio,
    squared_norm,
)
from backend.errors import AnalysisError

_MOST_TURNS = 1000  # of the minimisation: beyond, a slider would wait
_MOST_CLASSES, _MOST_HEAD, _MOST_CLASS = 20, 320, 480  # K, K d and n d
_FAR = 0.1  # NC1~ above which the features are far from collapse


@dataclass(frozen=True)
class Playground:
    """What the model does at one setting, measured and predicted.

    F is the response to a small change of the earlier layer. `spectrum`, `between` and `norms` are
    those of the exact F at the collapsed minimiser, found by linear algebra that knows nothing of
    the levels; `spectrum_noisy` is that of F at the minimiser for the noisy features.
    """

    lW: float
    lH: float
    beta: float
    K: int
    d: int
    n: int
    noise: float
    seed: int
    c: float  # sqrt(lW lH); from 1 on, the plain minimum is at zero
    rho: float  # squared norm of a class mean at the plain minimum
    lowest: float  # f* of the plain model, closed form
    value: float  # of the tethered model's minimiser
    nc1_before: float  # NC1~ of the noisy features H0
    nc1_after: float  # NC1~ of the minimiser
    nc1_predicted: float  # NC1~ of H* + F dH0
    response_error: float  # ||dH - F dH0|| / ||dH||
    iterations: int
    converged: bool
    spectrum: np.ndarray  # (n d,) singular values of F_00, falling
    spectrum_noisy: np.ndarray | None  # (n d,); None where the minimisation did not converge
    levels: tuple[Level, ...]  # () where there is no prediction
    predicted: np.ndarray | None  # (n d,) the levels, exact in beta
    predicted_first_order: np.ndarray | None  # (n d,)
    between: np.ndarray  # singular values of F_01, falling; those left out are 0
    between_predicted: float  # the only one above 0; NaN where there is no prediction
    between_predicted_first_order: float
    norms: np.ndarray  # (K, K) largest singular value of each block
    notes: tuple[str, ...]  # where the setting leaves what theory covers


def playground(
    lW: float, lH: float, beta: float, K: int, d: int, n: int, noise: float, seed: int
) -> Playground:
    """Minimise from collapsed features with noise, and compare with the theory of small changes.

    Parameters
    ----------
    lW, lH, beta : positive.
    K, d, n : classes, features and samples of a class, K >= 2, n >= 2.
    noise : standard deviation of each feature's noise; NC1~ of H0 is about
        noise^2 d (n - 1)/n / (rho (K - 1)/K).

    Raises
    ------
    AnalysisError : a number that the model cannot take, or one too large to be drawn at once.
    """
    check(K=K, d=d, n=n, lW=lW, lH=lH, beta=beta)
    _check_size(K, d, n, noise)
    decays = {"lW": lW, "lH": lH}
    model = {**decays, "beta": beta}
    start = minimiser(K, d, n, **decays, seed=seed)
    H0 = with_noise(start.H, noise, seed=seed + 1)
    found = minimise(H0, **model, max_iterations=_MOST_TURNS)
    F = respond(start.W, start.H, **model)
    answer, moved = F.apply(H0 - start.H), found.H - start.H
    far = float(np.linalg.norm(moved))
    noisy = respond(found.W, found.H, **model).spectrum(0) if found.converged else None
    levels = levels_within(K, d, n, **model)
    between, between_first_order = level_between(K, d, **model)
    before = nc1_ratio(H0)
    return Playground(
        lW=lW, lH=lH, beta=beta, K=K, d=d, n=n, noise=noise, seed=seed,
        c=decay(lW, lH), rho=squared_norm(lW, lH), lowest=lowest_value(K, d, **decays),
        value=found.value, nc1_before=before, nc1_after=nc1_ratio(found.H),
        nc1_predicted=nc1_ratio(start.H + answer),
        response_error=float(np.linalg.norm(moved - answer)) / far if far else nan,
        iterations=found.iterations, converged=found.converged,
        spectrum=F.spectrum(0), spectrum_noisy=noisy,
        levels=levels, predicted=staircase(levels) if levels else None,
        predicted_first_order=staircase(levels, exact=False) if levels else None,
        between=F.between(0, 1), between_predicted=between,
        between_predicted_first_order=between_first_order, norms=F.norms(),
        notes=_notes(lW, lH, beta, K, d, before, found.converged),
    )  # fmt: skip


def _notes(
    lW: float, lH: float, beta: float, K: int, d: int, nc1_before: float, converged: bool
) -> tuple[str, ...]:
    said = []
    if decay(lW, lH) >= 1:
        said.append(f"lW lH = {lW * lH:.3g} is 1 or more: decay wins, and all features collapse to "
                    "zero.")  # fmt: skip
    if d < K:
        said.append(f"With d = {d} below K = {K} the class means cannot be orthogonal: the paper's "
                    "theorems ask for d >= K (minimisers) and d > K (spectrum).")  # fmt: skip
    elif d == K:
        said.append("The paper's theorem on the spectrum asks for d > K; with d = K no direction "
                    "is left outside the means' span, where F would be 1.")  # fmt: skip
    if not is_large(beta, lW=lW, lH=lH):
        said.append(f"beta = {beta:g} is not large: the theory asks for far more than max(1, lH), "
                    f"and sqrt(lH/lW) = {sqrt(lH / lW):.3g} counts too. Levels of first order are "
                    "off; the exact ones hold.")  # fmt: skip
    if nc1_before > _FAR:
        said.append(f"NC1~ = {nc1_before:.3g} of the earlier layer is far from collapse; F holds "
                    "for small changes only.")  # fmt: skip
    if not converged:
        said.append(f"The minimisation did not converge in {_MOST_TURNS:,} turns: a small beta "
                    "needs more.")  # fmt: skip
    return tuple(said)


def _check_size(K: int, d: int, n: int, noise: float) -> None:
    if n < 2:
        raise AnalysisError(f"n = {n} leaves no spread within a class.", "Give 2 or more.")
    if not 0 <= noise < inf:
        raise AnalysisError(f"noise = {noise:g} is not a standard deviation.", "Give 0 or more.")
    for name, size, most in (("K", K, _MOST_CLASSES), ("K d", K * d, _MOST_HEAD),
                             ("n d", n * d, _MOST_CLASS)):  # fmt: skip
        if size > most:
            raise AnalysisError(f"{name} = {size} is too large to follow a slider.",
                                f"Give at most {most}.")  # fmt: skip
