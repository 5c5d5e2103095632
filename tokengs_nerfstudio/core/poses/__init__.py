"""Cameras of a capture, checked against what the photos show and corrected where that says they are wrong."""

from tokengs_nerfstudio.core.poses.adjustment import Adjustment, adjusted_poses, with_adjusted_poses

__all__ = ["Adjustment", "adjusted_poses", "with_adjusted_poses"]
