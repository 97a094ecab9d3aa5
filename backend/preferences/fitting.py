"""Learning a PAL model: L-BFGS where the net is small, Adam in batches otherwise; restarts."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.functional import softplus

from backend.errors import AnalysisError
from backend.preferences.choices import Choices
from backend.preferences.form import Form
from backend.preferences.net import PalNet
from backend.preferences.tastes import Tastes
from backend.threads import one_torch_thread

BATCH = 8192
FULL_BATCH_MOST = 200_000  # more choices are learned in batches
SPREADS = (0.3, 1.0, 3.0)
COOLING = (1.0, 0.8, 0.65, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05)
_BATCH_LEAST, _STEPS_AN_EPOCH = 32, 40  # few choices are cut into smaller batches
_WAIT = 5  # epochs without a better held-out loss before Adam stops


@dataclass(frozen=True)
class Training:
    """How a model is learned.

    `spread` is the standard deviation of the Gaussian prior on each person's logits; the authors
    have none, and with few answers per person weights then run to the corners. At 0 a tenth of
    the choices decides between `SPREADS`, and how far the scale is cooled (batches take 1).
    `shrink` is the ridge on prototypes and maps, per choice.
    """

    restarts: int = 3
    steps: int = 400  # of L-BFGS
    epochs: int = 30  # of Adam
    width: int = 32  # of the mapped space, where f is no identity
    balanced: bool = False  # every person counts alike, however many choices
    spread: float = 0.0
    shrink: float = 1e-4
    batch: int = BATCH
    rate_f: float = 1e-3
    rate_p: float = 2e-2


def fit(
    choices: Choices,
    rows: np.ndarray,
    X: np.ndarray,
    form: Form,
    *,
    C: np.ndarray | None = None,
    training: Training = Training(),  # noqa: B008  (frozen)
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Tastes:
    """The best of several restarts, by the loss of the choices that were learned from.

    Parameters
    ----------
    rows : which choices to learn from; people without any keep the prior's mean weights.
    X : (M, d) vectors of the options; C : (Q, d') of the prompts, for PAL-B.
    check : called between restarts and epochs; may raise to stop.

    Raises
    ------
    AnalysisError : no choices, a PAL-B without prompts, or a residual map that changes the width.
    """
    if not len(rows):
        raise AnalysisError("There are no choices to learn from.", "Give more choices.")
    if form.ideal == "B" and (C is None or choices.q is None):
        raise AnalysisError("PAL-B needs prompts.", "Give a column prompt, and a model to read it.")
    if form.residual and form.map != "identity" and X.shape[1] != training.width:
        raise AnalysisError(
            f"A residual map needs equal widths, not {X.shape[1]} and {training.width}.",
            f"Set width={X.shape[1]}.",
        )
    found: list[Tastes] = []
    small = form.is_convex and len(rows) <= FULL_BATCH_MOST and form.ideal != "B"
    learn = _by_lbfgs if small else _by_adam
    cooled = 1.0
    if not training.spread:
        wide = 1.0
        if small and form.k > 1 and len(rows) >= 50:
            wide, cooled = _tune(choices, rows, X, form, training, seed, check)
        training = replace(training, spread=wide)
    data = _tensors(choices, rows, X, C, training)
    # With one prototype all starts are alike up to its place, and the loss is convex in it.
    for restart in range(1 if form.k == 1 and form.map == "identity" else training.restarts):
        check()
        generator = torch.Generator().manual_seed(1000 * seed + restart)
        net = PalNet(
            form, persons=len(choices.persons), wide=X.shape[1], narrow=training.width,
            asked=0 if C is None else C.shape[1], generator=generator,
        )  # fmt: skip
        with one_torch_thread(len(rows)):
            found.append(learn(net, data, training, generator, check))
    best = min(found, key=lambda t: t.loss).tightened(np.unique(choices.u[rows]))
    return replace(best, scale=best.scale * cooled)


def _tune(
    choices: Choices, rows: np.ndarray, X: np.ndarray, form: Form, training: Training, seed: int,
    check: Callable[[], None],
) -> tuple[float, float]:  # fmt: skip
    """The prior's width with the least loss on a tenth of the rows, and a factor for the scale.

    With few choices a person, a fit is surer than it is right; the factor (temperature scaling,
    Guo et al. 2017) is the one in `COOLING` that suits the same tenth best.
    """
    order = np.random.default_rng(seed).permutation(rows)
    held, rest = order[: len(rows) // 10], order[len(rows) // 10 :]
    factors, losses = np.array(COOLING), {}
    for spread in SPREADS:
        one = replace(training, spread=spread, restarts=1)
        found = fit(choices, rest, X, form, training=one, seed=seed, check=check)
        W = found.weights[choices.u[held]]
        agreed = choices.y[held] * found.margins(W, choices.left[held], choices.right[held])
        by_factor = np.logaddexp(0, -np.outer(factors, agreed)).mean(axis=1)
        losses[spread] = by_factor.min(), float(factors[by_factor.argmin()])
    best = min(losses, key=lambda spread: losses[spread][0])
    return best, losses[best][1]


@dataclass(frozen=True)
class _Data:
    X: torch.Tensor
    C: torch.Tensor | None
    u: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    q: torch.Tensor | None
    y: torch.Tensor
    weight: torch.Tensor  # (n,) mean 1

    def take(self, rows: torch.Tensor) -> "_Data":
        q = None if self.q is None else self.q[rows]
        return _Data(self.X, self.C, self.u[rows], self.left[rows], self.right[rows], q,
                     self.y[rows], self.weight[rows])  # fmt: skip

    def cast(self, kind: torch.dtype) -> "_Data":
        C = None if self.C is None else self.C.to(kind)
        return _Data(self.X.to(kind), C, self.u, self.left, self.right, self.q,
                     self.y.to(kind), self.weight.to(kind))  # fmt: skip


def _tensors(
    choices: Choices, rows: np.ndarray, X: np.ndarray, C: np.ndarray | None, training: Training
) -> _Data:
    u = choices.u[rows]
    weight = np.ones(len(rows))
    if training.balanced:
        weight = 1.0 / np.bincount(u)[u]
        weight /= weight.mean()
    q = None if choices.q is None else torch.from_numpy(choices.q[rows])
    return _Data(
        torch.from_numpy(np.asarray(X, np.float64)),
        None if C is None else torch.from_numpy(np.asarray(C, np.float64)),
        torch.from_numpy(u), torch.from_numpy(choices.left[rows]),
        torch.from_numpy(choices.right[rows]), q,
        torch.from_numpy(choices.y[rows].astype(np.float64)), torch.from_numpy(weight),
    )  # fmt: skip


def _loss(net: PalNet, data: _Data) -> torch.Tensor:
    """Mean loss of the choices, without the prior."""
    agreed = data.y * net(data.X, data.C, data.u, data.left, data.right, data.q)
    each = softplus(-agreed) if net.form.loss == "logistic" else torch.relu(1 - agreed)
    return (data.weight * each).mean()


def _prior(net: PalNet, training: Training, n: int) -> torch.Tensor:
    """Prior and ridge, per choice of all n."""
    total = net.omega.square().sum() / (2 * training.spread**2 * n)
    for name, part in net.named_parameters():
        if name not in ("omega", "log_scale"):
            total = total + training.shrink * part.square().sum()
    return total


def _by_lbfgs(
    net: PalNet, data: _Data, training: Training, generator: torch.Generator,
    check: Callable[[], None],
) -> Tastes:  # fmt: skip
    net.double()
    optimiser = torch.optim.LBFGS(
        net.parameters(), max_iter=training.steps, history_size=10, tolerance_grad=1e-7,
        tolerance_change=1e-9, line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = _loss(net, data) + _prior(net, training, len(data.y))
        value.backward()
        return value

    optimiser.step(closure)  # type: ignore[arg-type]
    value = _finite(closure().item())
    steps = next(iter(optimiser.state.values()))["n_iter"]
    return net.to_tastes(data.X, data.C, loss=value, steps=steps)


def _by_adam(
    net: PalNet, data: _Data, training: Training, generator: torch.Generator,
    check: Callable[[], None],
) -> Tastes:  # fmt: skip
    """Batches in float32; a tenth of the choices says when to stop, where there are enough."""
    data = data.cast(torch.float32)
    n = len(data.y)
    order = torch.randperm(n, generator=generator)
    held = order[: n // 10] if n >= 500 and training.epochs > 1 else order[:0]
    rest = order[len(held) :]
    maps = [p for m in (net.f, net.g) for p in m.parameters()]
    others = [p for p in (net.P, net.omega, net.log_scale) if p is not None]
    optimiser = torch.optim.Adam(
        [{"params": maps, "lr": training.rate_f}, {"params": others, "lr": training.rate_p}]
    )
    batch = min(training.batch, max(_BATCH_LEAST, len(rest) // _STEPS_AN_EPOCH))
    best, value, waited, epochs = None, np.inf, 0, 0
    for _ in range(training.epochs):
        check()
        for at in rest[torch.randperm(len(rest), generator=generator)].split(batch):
            optimiser.zero_grad()
            (_loss(net, data.take(at)) + _prior(net, training, len(rest))).backward()
            optimiser.step()
        epochs += 1
        with torch.no_grad():
            now = _finite(_loss(net, data.take(held if len(held) else rest)).item())
        if now < value - 1e-5:
            best, value, waited = {k: v.clone() for k, v in net.state_dict().items()}, now, 0
        elif (waited := waited + 1) >= _WAIT:
            break
    if best is not None:
        net.load_state_dict(best)
    net.double()
    return net.to_tastes(data.X.double(), None if data.C is None else data.C.double(),
                         loss=value, steps=epochs)  # fmt: skip


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise AnalysisError(
            "The loss is not finite.", "Check the options' vectors, or choose squared distance."
        )
    return value
