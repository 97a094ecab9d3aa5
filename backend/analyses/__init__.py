"""The analyses: one module each, named in `ANALYSES`; `load_all` fills the registry.

Specs can be read without torch, scikit-learn, scipy or umap: modules import those when they run.
"""

from importlib import import_module

from backend.analyses.spec import REGISTRY, Spec

ANALYSES = (
    *("similarity", "projection", "profile", "lens", "layers"),
    *("depth", "hops", "maps", "layer_map", "quantization", "whatif"),
    *("preferences", "preference_layers", "raters", "rated_texts", "harshness"),
    *("complexity", "feature_learning", "feature_match", "collapse", "decay_study"),
)


def load_all() -> dict[str, Spec]:
    """Every registered analysis by its key; modules are imported on the first call."""
    for name in ANALYSES:
        import_module(f"backend.analyses.{name}")
    return REGISTRY


__all__ = ["ANALYSES", "REGISTRY", "load_all"]
