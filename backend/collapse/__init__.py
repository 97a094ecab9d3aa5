"""Neural collapse: how features of a class shrink to their mean, and class means to a simplex."""
