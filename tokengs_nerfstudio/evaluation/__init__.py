"""Networks on whole benchmarks: which views, what is measured, where it is written and how it is drawn."""
