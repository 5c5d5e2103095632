"""Scenes on disk or made on the fly, and the choice of their views: usable without nerfstudio."""

from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.capture.split import FrameSplit, SplitRule
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.evaluation_index import EvaluationIndex
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.view_sampler import BoundedSampler, ViewSelection, nearest_views, spread_views

__all__ = [
    "BoundedSampler",
    "EvaluationIndex",
    "FrameSplit",
    "NerfstudioCapture",
    "Scene",
    "SplitRule",
    "ViewSelection",
    "nearest_views",
    "spread_views",
    "write_nerfstudio_capture",
]
