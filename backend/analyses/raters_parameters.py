"""What can be set of the raters analysis."""

from backend.analyses.spec import Parameter

PARAMETERS = (
    Parameter("scale", str, "partial_credit", "Thresholds of each criterion's own, or one rating "
              "scale for all.", choices=("partial_credit", "rating_scale")),
    Parameter("method", str, "jmle", "Joint maximum likelihood, or marginal (items from a normal "
              "distribution).", choices=("jmle", "mml")),
    Parameter("correct", bool, False, "Shrink by (L - 1) / L, L ratings per item, against the "
              "stretch of jmle."),
    Parameter("infit_low", float, 0.5, "Raters below this infit are flagged: too predictable.",
              minimum=0, maximum=1),
    Parameter("infit_high", float, 1.5, "Raters above this infit are flagged: erratic.",
              minimum=1, maximum=100),
    Parameter("infit_z", float, 2.0, "And only if infit is this many standard deviations from 1; "
              "0 = the bounds alone.", minimum=0, maximum=20),
    Parameter("min_ratings", int, 1, "Raters with fewer ratings are left out.", minimum=1,
              maximum=1_000_000),
    Parameter("refit", bool, False, "Leave flagged raters out and estimate again."),
    Parameter("drop", str, "", "Raters to leave out, with | between their names."),
    Parameter("levels", str, "", "Ratings that are words, low to high: no,perhaps,yes."),
    Parameter("collapse", str, "", "Merge categories: respect:0,1,1,2,3; *:0,0,1,2 (new category "
              "of each old one, low to high)."),
    Parameter("facet", str, "", "Column that is a fourth facet, such as group."),
    Parameter("interaction", str, "", "Two facets or columns, such as rater x criterion."),
    Parameter("anchors", str, "", "Fixed places: criterion:respect=-2.26 | rater:ann=0."),
    Parameter("extreme", float, 0.3, "Points that lowest and highest scores are moved inward.",
              minimum=0.01, maximum=1.0),
    Parameter("max_iterations", int, 500, "Iterations, at the most.", minimum=1, maximum=10_000),
)  # fmt: skip
