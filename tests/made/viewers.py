"""Stand-ins for those who look into nerfstudio's viewer, and what they see."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.viewer.utils import CameraState, get_camera
from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO

from tokengs_nerfstudio.core.metrics import psnr

ENCODING = {"shown", "context_views", "number_of_tokens", "encode_again", "encoded"}
"""The controls of those who may encode anew."""


class Somebody:
    """A client of the viewer, as far as its camera goes."""

    client_id = 0

    def __init__(self) -> None:
        self.camera: Any = SimpleNamespace()

    def atomic(self) -> Any:
        return nullcontext()

    def seen_from(self, height: int, width: int) -> Cameras:
        """nerfstudio's camera for what this client looks at: viser turns it to its target, up as it says."""
        position, target = (np.array(value) for value in (self.camera.position, self.camera.look_at))
        forward = (target - position) / np.linalg.norm(target - position)
        right = np.cross(forward, self.camera.up_direction)
        right /= np.linalg.norm(right)
        pose = np.stack([right, np.cross(right, forward), -forward, position / VISER_NERFSTUDIO_SCALE_RATIO], axis=1)
        state = CameraState(self.camera.fov, width / height, torch.from_numpy(pose), CameraType.PERSPECTIVE)
        camera = get_camera(state, height, width)
        return Cameras(camera.camera_to_worlds, camera.fx, camera.fy, camera.cx, camera.cy, width, height)


class StandIn:
    """What nerfstudio's viewer is to a ViewerControl."""

    def __init__(self, clients: list[Somebody]) -> None:
        self.marks: dict[str, dict[str, Any]] = {}
        self.control_panel = SimpleNamespace(_max_res=SimpleNamespace(value=512))
        machine = SimpleNamespace(target_fps=30, transitions={"low_move": {"static": "low_static"}})
        self.render_statemachines = {0: machine}
        self.config = SimpleNamespace(camera_frustum_scale=0.1)
        self.connected: list[Any] = []
        scene = SimpleNamespace(add_camera_frustum=self._mark)
        get_clients = lambda: dict(enumerate(clients))  # noqa: E731
        self.viser_server = SimpleNamespace(
            scene=scene, on_client_connect=self.connected.append, get_clients=get_clients
        )

    def _mark(self, name: str, **properties: Any) -> Any:
        self.marks[name] = properties
        return SimpleNamespace(remove=lambda: self.marks.pop(name))


def alike(shown: torch.Tensor, photo: torch.Tensor) -> float:
    """PSNR of pictures [H W 3]."""
    return float(psnr(shown.movedim(-1, 0), photo.movedim(-1, 0)))


WINDOW = (1000, 600)
"""width and height of the browser's window"""


def window_of(screenshot: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The scene in a picture [3 600 1000] of the window, left of the panel (320 pixels), below the title (51), cut to
    what a photo shows: [height width 3]."""
    scene = screenshot[:, 51:, :680]
    half, middle = round(scene.shape[1] * width / height / 2), scene.shape[2] // 2
    scene = scene[:, :, max(middle - half, 0) : middle + half]
    small = torch.nn.functional.interpolate(scene[None], (height, width), mode="bilinear", antialias=True)[0]
    return small.movedim(0, -1)
