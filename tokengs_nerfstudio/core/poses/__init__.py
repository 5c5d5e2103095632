"""Cameras of a capture, checked against what the photos show and corrected where that says they are wrong."""

from tokengs_nerfstudio.core.poses.adjustment import Adjustment, adjusted_cameras, with_adjusted_cameras

__all__ = ["Adjustment", "adjusted_cameras", "with_adjusted_cameras"]
