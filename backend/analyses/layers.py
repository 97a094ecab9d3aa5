"""Everything about the layers of one model: similarity, projection, profile and lens together.

The workbench runs the parts, keeps each under its own key, and puts their tables together.
"""

from backend.analyses.spec import Spec, register

SPEC = register(
    Spec(
        key="layers",
        title="Layers",
        question="What changes from layer to layer?",
        source="Kornblith et al. 2019; Ansuini et al. 2019; nostalgebraist 2020",
        version=1,
        parts=("similarity", "projection", "profile", "lens"),  # registered before by `load_all`
    )
)
