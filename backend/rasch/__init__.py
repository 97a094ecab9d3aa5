"""Many-facet Rasch measurement: items, raters and criteria on one ruler of logits."""
