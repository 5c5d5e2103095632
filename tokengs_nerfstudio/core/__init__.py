"""The method itself: usable without nerfstudio."""
