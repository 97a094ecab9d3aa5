"""Features whose collapse is known, and the measures written out as their papers have them."""

import numpy as np


def simplex(K: int, d: int, seed: int = 0, radius: float = 1.0) -> np.ndarray:
    """(K, d) corners of a simplex around 0, all of one length."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, K)))[0]
    return radius * np.sqrt(K / (K - 1)) * (np.eye(K) - 1 / K) @ Q.T


def noise(K: int, n: int, d: int, seed: int = 0, size: float = 0.3) -> np.ndarray:
    """(K n, d) rows by class, with a mean of exactly zero in each, not alike in all directions."""
    rng = np.random.default_rng(seed)
    A = size * (rng.normal(size=(d, d)) / np.sqrt(d) + np.eye(d))
    X = rng.normal(size=(K, n, d)) @ A
    return (X - X.mean(axis=1, keepdims=True)).reshape(-1, d)


def network(
    K: int = 5, d: int = 12, n: int = 30, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, d) in no order with unequal classes, labels, and a head that errs."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(K), n + 3 * np.arange(K)))
    means = rng.normal(size=(K, d)) + 2
    H = means[y] + noise(1, len(y), d, seed)
    return H, y, means + 0.5 * rng.normal(size=(K, d)), rng.normal(size=K)


def written_out(
    H: np.ndarray, y: np.ndarray, W: np.ndarray, b: np.ndarray, *, centre: str = "classes"
) -> dict[str, float]:
    """Every measure from covariances (d, d), a hermitian pseudo-inverse and loops over pairs."""
    K, d = W.shape
    means = np.array([H[y == k].mean(axis=0) for k in range(K)])
    middle = means.mean(axis=0) if centre == "classes" else H.mean(axis=0)
    M = (means - middle).T
    X = H - means[y]
    within, between = X.T @ X / len(H), M @ M.T / K
    v = np.array([np.square(X[y == k]).sum() / (y == k).sum() for k in range(K)])
    pairs = [(a, c) for a in range(K) for c in range(K) if a != c]
    apart = [(v[a] + v[c]) / 2 / np.square(means[a] - means[c]).sum() for a, c in pairs]
    ideal = (np.eye(K) - 1 / K) / np.sqrt(K - 1)
    nearest = np.array([np.linalg.norm(h - means, axis=1).argmin() for h in H])
    said = (H @ W.T + b).argmax(axis=1)

    def of(A: np.ndarray) -> tuple[float, float, float]:
        lengths = np.linalg.norm(A, axis=0)
        cosines = [A[:, a] @ A[:, c] / lengths[a] / lengths[c] for a, c in pairs]
        equal = np.sqrt(np.square(lengths - lengths.mean()).sum() / (K - 1)) / lengths.mean()
        return equal, np.mean(np.abs(np.array(cosines) + 1 / (K - 1))), off(A.T @ A)

    def off(G: np.ndarray) -> float:
        return float(np.linalg.norm(G / np.linalg.norm(G) - ideal))

    pinv = np.linalg.pinv(between, rtol=1e-10, hermitian=True)
    names = ("equinorm", "equiangular")
    found = {
        "nc1": np.trace(within @ pinv) / K,
        "nc1_ratio": np.trace(within) / np.trace(between),
        "cdnv": np.mean(apart),
        **{f"nc2_{name}": value for name, value in zip(names, of(M), strict=False)},
        "nc2": of(M)[2],
        **{f"nc2_weight_{name}": value for name, value in zip(names, of(W.T), strict=False)},
        "nc2_weight": of(W.T)[2],
        "nc3": np.square(W.T / np.linalg.norm(W) - M / np.linalg.norm(M)).sum(),
        "nc3_zhu": off(W @ M),
        "bias": np.linalg.norm(W @ middle + b),
        "nc4": np.mean(said != nearest),
        "centre_error": np.mean(nearest != y),
        "head_error": np.mean(said != y),
    }
    return {name: float(value) for name, value in found.items()}
