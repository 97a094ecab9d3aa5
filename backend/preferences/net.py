"""PAL as a torch module: margins of choices, to be learned by gradient."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from backend.preferences.form import SCALE_B, SCALE_MOST, Form
from backend.preferences.tastes import Tastes


def build_map(form: Form, wide: int, narrow: int) -> nn.Module:
    """The map f from `wide` to `narrow` numbers: identity, one matrix, or an MLP.

    `mlp2` has two hidden layers of the narrow width and so three matrices; 787,968 numbers at
    512 to 512, as in the authors' code.
    """
    if form.map == "identity":
        return nn.Identity()
    if form.map == "linear":
        return nn.Linear(wide, narrow, bias=False)
    acts = {"relu": nn.ReLU, "gelu": nn.GELU}
    parts: list[nn.Module] = []
    for number in range(int(form.map[3:])):
        parts += [nn.Linear(wide if number == 0 else narrow, narrow), acts[form.activation]()]
    return nn.Sequential(*parts, nn.Linear(narrow, narrow))


class PalNet(nn.Module):
    """f, prototypes (or prompt nets g_k), the people's weights, and the logit scale.

    Everything random comes from `generator`, so equal seeds give equal nets.
    """

    def __init__(
        self, form: Form, *, persons: int, wide: int, narrow: int, asked: int,
        generator: torch.Generator,
    ):  # fmt: skip
        super().__init__()
        self.form = form
        narrow = wide if form.map == "identity" else narrow
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
            self.f = build_map(form, wide, narrow)
            self.g = nn.ModuleList(
                build_map(form, asked, narrow) if form.map != "identity"
                else nn.Linear(asked, narrow, bias=False)
                for _ in range(form.k if form.ideal == "B" else 0)
            )  # fmt: skip
        place = wide if form.ideal in ("f(P)w", "f(Pw)") else narrow
        start = torch.randn(form.k, place, generator=generator)
        self.P = nn.Parameter(normalize(start, dim=1)) if form.ideal != "B" else None
        self.omega = nn.Parameter(torch.randn(persons, form.k, generator=generator))
        self.log_scale = nn.Parameter(torch.tensor(SCALE_B if form.ideal == "B" else 0.0))

    @property
    def scale(self) -> torch.Tensor:
        """The factor from differences of reward to logits; a hinge has none in PAL-A."""
        if self.form.loss == "hinge" and self.form.ideal != "B":
            return torch.ones((), dtype=self.log_scale.dtype)
        return self.log_scale.clamp(max=math.log(SCALE_MOST)).exp()

    def mapped(self, X: torch.Tensor) -> torch.Tensor:
        """f(X), with the residual path where the form has one."""
        out = self.f(X)
        return X + out if self.form.residual and self.form.map != "identity" else out

    def _points(self, W: torch.Tensor) -> torch.Tensor:
        assert self.P is not None
        if self.form.ideal == "f(Pw)":
            return self.mapped(W @ self.P)
        return W @ (self.mapped(self.P) if self.form.ideal == "f(P)w" else self.P)

    def forward(
        self, X: torch.Tensor, C: torch.Tensor | None, u: torch.Tensor, left: torch.Tensor,
        right: torch.Tensor, q: torch.Tensor | None,
    ) -> torch.Tensor:  # fmt: skip
        """Logits of P(right), (n,), of people u between options left and right of X (M, wide)."""
        W = torch.softmax(self.omega, dim=1)
        F = self.mapped(X)
        if self.form.ideal == "B":
            assert C is not None and q is not None
            G = torch.stack([g(C) for g in self.g], dim=1)  # (Q, K, d)
            mix = normalize(torch.einsum("nk,nkd->nd", W[u], G[q]), dim=1)
            F = normalize(F, dim=1)
            return self.scale * ((F[right] - F[left]) * mix).sum(1)
        if self.form.distance == "squared" and self.form.ideal != "f(Pw)":
            corners = self._points(torch.eye(self.form.k, dtype=X.dtype))
            R = 2 * F @ corners.T - F.square().sum(1, keepdim=True)  # (M, K)
            return self.scale * (W[u] * (R[right] - R[left])).sum(1)
        a = self._points(W)[u]
        if self.form.distance == "squared":
            return self.scale * ((F[left] - a).square().sum(1) - (F[right] - a).square().sum(1))
        near = [torch.linalg.vector_norm(F[side] - a, dim=1) for side in (left, right)]
        return self.scale * (near[0] - near[1])

    @torch.no_grad()
    def to_tastes(self, X: torch.Tensor, C: torch.Tensor | None, **facts: float) -> Tastes:
        """The model in plain arrays, float64."""
        P = self.P
        if P is not None and self.form.ideal == "f(P)w":
            P = self.mapped(P)
        linear = [m for m in self.f.modules() if isinstance(m, nn.Linear)]
        layers = tuple(
            (_array(m.weight), _array(m.bias) if m.bias is not None else np.zeros(len(m.weight)))
            for m in linear
        )
        G = None
        if self.form.ideal == "B":
            assert C is not None
            G = _array(torch.stack([g(C) for g in self.g], dim=1))
        corners = np.zeros((self.form.k, self.mapped(X[:1]).shape[1])) if P is None else _array(P)
        return Tastes(
            self.form, _array(self.mapped(X)), corners, _array(self.omega), float(self.scale),
            layers, G, **facts,
        )  # fmt: skip


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()
