"""Scenes on disk or made on the fly, and the choice of their views: usable without nerfstudio."""

from tokengs_nerfstudio.data.capture.capture import NerfstudioCapture
from tokengs_nerfstudio.data.capture.split import FrameSplit, SplitRule
from tokengs_nerfstudio.data.capture.writer import write_nerfstudio_capture
from tokengs_nerfstudio.data.dl3dv import DL3DVScene
from tokengs_nerfstudio.data.evaluation_index import EvaluationIndex
from tokengs_nerfstudio.data.kubric import KubricScene
from tokengs_nerfstudio.data.opening import capture_at, load_capture
from tokengs_nerfstudio.data.re10k import RE10KScene
from tokengs_nerfstudio.data.roots import scenes_below
from tokengs_nerfstudio.data.scene import Scene
from tokengs_nerfstudio.data.view_sampler import BoundedSampler, ViewSelection, nearest_views, spread_views

__all__ = [
    "BoundedSampler",
    "DL3DVScene",
    "EvaluationIndex",
    "FrameSplit",
    "KubricScene",
    "NerfstudioCapture",
    "RE10KScene",
    "Scene",
    "SplitRule",
    "ViewSelection",
    "capture_at",
    "load_capture",
    "nearest_views",
    "scenes_below",
    "spread_views",
    "write_nerfstudio_capture",
]
