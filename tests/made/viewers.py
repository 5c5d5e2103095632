"""Stand-ins for those who look into nerfstudio's viewer, and what they see."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras, CameraType
from nerfstudio.viewer.utils import CameraState, get_camera
from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO
from PIL import Image

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


def window_of(file: Path, height: int, width: int) -> torch.Tensor:
    """The scene in a screenshot, left of the panel (320 pixels), below the title (51), cut to what a photo shows."""
    picture = Image.open(file).convert("RGB").crop((0, 51, 680, 600))
    tall = picture.height * width / height / 2
    middle = picture.width / 2
    picture = picture.crop((round(middle - tall), 0, round(middle + tall), picture.height)).resize((width, height))
    return torch.from_numpy(np.array(picture)).float() / 255
