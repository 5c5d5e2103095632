"""Where training gets its examples from."""
