"""What `kentongan bench` measures: medians of several rounds, as ratios to a peer or a floor in the same run."""
