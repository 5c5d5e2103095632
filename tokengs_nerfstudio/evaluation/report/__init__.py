"""Results of any number of runs on one page."""
