"""Figures: result in, plotly Figure out; and out of it a file that knows where it came from.

Names load on first use, so that `import backend` does not pay for plotly. Show figures with
`st.plotly_chart(fig, theme=None, config=PLOTLY_CONFIG)`: Streamlit's own theme would repaint them.
"""

from importlib import import_module
from typing import Any

_MODULE_OF = {
    "ACCENTS": "palette",
    "PLOTLY_CONFIG": "theme",
    "attribution_map": "depth_maps",
    "axis_limits": "cloud",
    "budget_curve": "budget",
    "bundle": "archive",
    "caption": "archive",
    "category_colours": "palette",
    "cka_map": "similarity",
    "cka_profile": "similarity",
    "close": "browser",
    "code": "archive",
    "depth_contributions": "depth",
    "depth_lens": "depth",
    "depth_output_bars": "skipping",
    "depth_scores": "difficulty",
    "depth_skip_map": "skipping",
    "erasure_map": "depth_maps",
    "finish": "theme",
    "layer_label": "sites",
    "layer_map": "depth_maps",
    "layer_scores": "quantization",
    "layer_strip": "strip",
    "lens_bars": "lens",
    "lens_grid": "lens",
    "lens_ranks": "lens",
    "next_tokens": "whatif",
    "profile_lines": "profile",
    "projection_film": "film",
    "projection_map": "projection",
    "read_provenance": "record",
    "save_all": "export",
    "score_scatter": "agreement",
    "set_mode": "theme",
    "site_label": "sites",
    "sort_sites": "sites",
    "taste_accuracy": "taste_scores",
    "taste_calibration": "taste_scores",
    "taste_divisions": "taste_people",
    "taste_fewshot": "taste_scores",
    "taste_flip": "taste_people",
    "taste_layers": "taste_scores",
    "taste_likes": "taste_people",
    "taste_map": "tastes",
    "taste_place": "taste_people",
    "taste_ternary": "tastes",
    "criterion_curves": "raters_curves",
    "interaction_forest": "raters_residuals",
    "item_scores": "raters_items",
    "measures_before_after": "raters_items",
    "rater_fit": "raters_fit",
    "rater_residuals": "raters_residuals",
    "rater_severities": "raters_fit",
    "raw_against_measure": "raters_items",
    "wright_map": "raters_ruler",
    "harshness_steps": "harshness",
    "rated_scores": "rated_texts",
    "rated_layers": "rated_texts",
    "rated_components": "rated_texts",
    "rated_calibration": "rated_texts",
    "feature_map": "features",
    "feature_clusters": "features",
    "feature_profile": "feature_reading",
    "feature_ladder": "feature_reading",
    "feature_heat": "feature_grid",
    "feature_scatter": "feature_pairs",
    "feature_flow": "feature_branches",
    "feature_match_distributions": "feature_match",
    "feature_match_pairs": "feature_match",
    "feature_training": "feature_learning",
    "feature_tree_map": "feature_tree",
    "feature_ablation": "feature_cuts",
    "to_csv": "archive",
    "to_html": "export",
    "to_json": "export",
    "to_pdf": "export",
    "to_png": "export",
    "to_svg": "export",
    "token_losses": "whatif",
    "width_lines": "widths",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


__all__ = list(_MODULE_OF)
