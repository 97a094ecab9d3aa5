"""How features answer a small change of the earlier layer's: vec(dH) = F vec(dH0).

    F = beta/(Kn) ( f_HH - f_HW f_WW^-1 f_WH )^-1

at a minimiser (W, H) of the tethered model. F is symmetric, dnK x dnK, with K x K blocks of size
dn: F_kk within a class, F_kl between two. It is a d x d matrix that acts on each sample, plus a
part of rank Kd at most (Woodbury), which in each class leaves alone those combinations of samples
that are orthogonal to their features and to their mean. So nothing of F's full size is inverted,
and at collapse, where a class has one feature vector, the number of samples costs nothing.

Source: Tirer, Huang, Niles-Weed 2022/23, Theorem 4.1 and Eq 5-6. The form used here is ours.
"""

from dataclasses import dataclass

import numpy as np

from backend.collapse.unconstrained import check, residuals
from backend.errors import AnalysisError

_ALONE = 1e-13  # share of the largest below which a combination of samples has no features


@dataclass(frozen=True)
class Response:
    """F = I (x) base + S U core U^T S^T, where S mixes s combinations of each class's samples."""

    base: np.ndarray  # (d, d), symmetric
    samples: np.ndarray  # (K, n, s), orthonormal columns
    U: np.ndarray  # (K, s d, r): a slab of rows for each class
    core: np.ndarray  # (r, r), symmetric

    def apply(self, dH0: np.ndarray) -> np.ndarray:
        """F dH0 for a change (K, n, d)."""
        mixed = (self.samples.transpose(0, 2, 1) @ dH0).reshape(len(self.U), -1)
        shared = self.core @ np.einsum("kxr,kx->r", self.U, mixed)
        slabs = (self.U @ shared).reshape(*self.samples.shape[::2], len(self.base))
        return dH0 @ self.base + self.samples @ slabs

    def block(self, k: int, other: int) -> np.ndarray:
        """F_kl, (n d, n d): how class k answers a change of class `other`."""
        own, theirs = (np.kron(self.samples[c], np.eye(len(self.base))) for c in (k, other))
        out = own @ (self.U[k] @ self.core @ self.U[other].T) @ theirs.T
        return out + np.kron(np.eye(self.samples.shape[1]), self.base) if k == other else out

    def matrix(self) -> np.ndarray:
        """All of F, (K n d, K n d)."""
        K = len(self.U)
        return np.block([[self.block(k, other) for other in range(K)] for k in range(K)])

    def spectrum(self, k: int) -> np.ndarray:
        """Singular values of F_kk, falling, (n d,)."""
        _, n, s = self.samples.shape
        inner = self.U[k] @ self.core @ self.U[k].T + np.kron(np.eye(s), self.base)
        # symmetric, so the eigenvalues' sizes; cheaper than a singular value decomposition
        values = [np.linalg.eigvalsh(inner), np.repeat(np.linalg.eigvalsh(self.base), n - s)]
        return np.sort(np.abs(np.concatenate(values)))[::-1]

    def between(self, k: int, other: int) -> np.ndarray:
        """Singular values of F_kl, k != l, falling; those left out are 0."""
        inner = self._compact(k) @ self.core @ self._compact(other).T
        return np.linalg.svd(inner, compute_uv=False)

    def norms(self) -> np.ndarray:
        """Largest singular value of each block, (K, K)."""
        K = len(self.U)
        out = np.diag([self.spectrum(k)[0] for k in range(K)])
        slabs = [self._compact(k) for k in range(K)]
        halves = [self.core @ slab.T for slab in slabs]
        for k in range(K):
            for other in range(k):
                out[k, other] = out[other, k] = np.linalg.norm(slabs[k] @ halves[other], 2)
        return out

    def _compact(self, k: int) -> np.ndarray:
        """A slab with the same inner products as U_k, of r rows at most."""
        slab = self.U[k]
        return np.linalg.qr(slab, mode="r") if len(slab) > len(self.core) else slab


def respond(W: np.ndarray, H: np.ndarray, *, lW: float, lH: float, beta: float) -> Response:
    """F at a minimiser W (K, d), H (K, n, d), exact in beta.

    Raises
    ------
    AnalysisError : (W, H) is not a minimum, so F is not defined there.
    """
    samples, mixed, Q = _parts(W, H, lW=lW, lH=lH, beta=beta)
    K, _, d = H.shape
    P = np.linalg.inv(W.T @ W + (lH + beta) * np.eye(d))
    # mixed^T (I (x) P) mixed, from sums over samples of h h^T, h e^T and e e^T
    h, e = H.reshape(-1, d), residuals(W, H).reshape(-1, K)
    crossed = np.einsum("bj,ic->ibjc", h.T @ e, W @ P)
    felt = np.einsum("ij,bc->ibjc", W @ P @ W.T, h.T @ h) + np.einsum("ij,bc->ibjc", e.T @ e, P)
    felt = (felt + crossed + crossed.transpose(2, 3, 0, 1)).reshape(Q.shape)
    try:
        np.linalg.cholesky(Q - felt)
    except np.linalg.LinAlgError:
        raise AnalysisError("The features are not at a minimum of the tethered model.",
                            "Minimise it first, or raise beta.") from None  # fmt: skip
    U = (P @ mixed.reshape(-1, d, K * d)).reshape(mixed.shape)
    return Response(beta * P, samples, U, beta * np.linalg.inv(Q - felt))


def respond_to_first_order(
    W: np.ndarray, H: np.ndarray, *, lW: float, lH: float, beta: float
) -> Response:
    """F to first order in 1/beta, for beta >> max(1, lH): I - (lH I + W^T W)/beta + Z/beta.

    Source: Tirer, Huang, Niles-Weed 2022/23, Eq 5.
    """
    samples, mixed, Q = _parts(W, H, lW=lW, lH=lH, beta=beta)
    d = W.shape[1]
    base = np.eye(d) - (lH * np.eye(d) + W.T @ W) / beta
    return Response(base, samples, mixed, np.linalg.inv(Q) / beta)


def respond_by_autograd(
    W: np.ndarray, H: np.ndarray, *, lW: float, lH: float, beta: float
) -> np.ndarray:
    """All of F (K n d, K n d) from the Hessian that torch differentiates out of Eq 2 itself."""
    import torch

    K, n, d = H.shape
    Y, n_W = torch.eye(K, dtype=torch.float64)[:, None], K * d
    x = torch.from_numpy(np.concatenate([W.ravel(), H.ravel()]).astype(np.float64))
    H0 = x[n_W:].reshape(K, n, d).clone()  # the tether adds beta/(Kn) I wherever H0 is

    def objective(x: torch.Tensor) -> torch.Tensor:
        W, H = x[:n_W].reshape(K, d), x[n_W:].reshape(K, n, d)
        fit = ((H @ W.T - Y) ** 2).sum() + lH * (H**2).sum() + beta * ((H - H0) ** 2).sum()
        return fit / (2 * K * n) + lW / (2 * K) * (W**2).sum()

    hessian = torch.func.hessian(objective)(x).numpy()
    f_WW, f_WH, f_HH = hessian[:n_W, :n_W], hessian[:n_W, n_W:], hessian[n_W:, n_W:]
    return beta / (K * n) * np.linalg.inv(f_HH - f_WH.T @ np.linalg.solve(f_WW, f_WH))


def _parts(
    W: np.ndarray, H: np.ndarray, *, lW: float, lH: float, beta: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Combinations of samples (K, n, s), Kn f_HW on them (K, s d, K d), Kn f_WW (K d, K d)."""
    K, n, d = H.shape
    check(K=K, d=d, n=n, lW=lW, lH=lH, beta=beta)
    left, sizes, _ = np.linalg.svd(np.concatenate([np.ones((K, n, 1)), H], axis=2), False)
    samples = left[:, :, : int((sizes > _ALONE * sizes[:, :1]).sum(axis=1).max())]
    mixing = samples.transpose(0, 2, 1)
    h = mixing @ H
    E = h @ W.T - mixing.sum(axis=2)[:, :, None] * np.eye(K)[:, None]
    # entry (combination i, a; head j, b) = h_ib W_ja + E_ij [a = b]
    mixed = np.einsum("kib,ja->kiajb", h, W) + np.einsum("kij,ab->kiajb", E, np.eye(d))
    rows = H.reshape(-1, d)
    Q = np.kron(np.eye(K), rows.T @ rows + n * lW * np.eye(d))
    return samples, mixed.reshape(K, -1, K * d), Q
