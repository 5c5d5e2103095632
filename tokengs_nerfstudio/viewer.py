"""The method's own part of nerfstudio's viewer: where it opens, what stands out, what can be set."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.viewer.viewer import VISER_NERFSTUDIO_SCALE_RATIO
from nerfstudio.viewer.viewer_elements import (
    ViewerButton,
    ViewerControl,
    ViewerDropdown,
    ViewerElement,
    ViewerSlider,
    ViewerText,
)
from numpy import ndarray
from torch import Tensor
from viser.transforms import SO3

from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.geometry.looking import distance_seen

TUNED, FEED_FORWARD = "tuned", "feed-forward"
_ORANGE = (255, 140, 0)
# Larger than those of the other photos, so that their colour is seen beside the pictures that these show.
_CONTEXT_FRUSTUM = 1.5
# Longer side of the pictures sent, pixels; nerfstudio begins with 512, which a window of today blows up.
_SHARP = 1024
# Pictures a second that are aimed at while the camera moves: fewer are larger.
_MOVING_RATE = 10


@runtime_checkable
class Scene(Protocol):
    """What the viewer needs of a pipeline."""

    @property
    def context(self) -> list[int]:
        """The photos that the encoder saw, as positions among `train_cameras`; the first is where the viewer opens."""
        ...

    @property
    def train_cameras(self) -> Cameras: ...

    @property
    def means(self) -> Tensor: ...


class OpeningView(ViewerControl):
    """Opens where the first context photo was taken, marks the context in orange, sharp at once.

    An attribute of a pipeline: nerfstudio's viewer finds it there and sets it up.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._marks: list[Any] = []

    def _setup(self, viewer: Any) -> None:
        super()._setup(viewer)
        slider = getattr(viewer.control_panel, "_max_res", None)
        if slider is not None:
            slider.value = _SHARP
        viewer.viser_server.on_client_connect(self._welcome)
        self.refresh()

    def refresh(self) -> None:
        """Mark the context of now, and bring everybody who looks on to its first camera."""
        if not hasattr(self, "viser_server"):
            return
        for mark in self._marks:
            mark.remove()
        self._marks = [self._mark(place) for place in self._scene.context]
        for client in self.viser_server.get_clients().values():
            self._open(client)

    def _welcome(self, client: Any) -> None:
        machine = self.viewer.render_statemachines.get(client.client_id)
        if machine is not None:
            machine.target_fps = _MOVING_RATE
            machine.transitions["low_move"]["static"] = "high"
        self._open(client)

    def _open(self, client: Any) -> None:
        c2w, tangent, aspect = self._camera(self._first)
        scale = self._frustum_scale(_CONTEXT_FRUSTUM)
        position, target = opening(c2w, self._scene.means.detach().cpu().numpy())
        # A frustum is drawn from its tip to a picture in front of it, which would hide the scene behind it.
        forward = 1.05 * frustum_depth(tangent, aspect, scale) * -c2w[:, 2]
        with client.atomic():
            client.camera.up_direction = (0.0, 0.0, 1.0) if held_upright(c2w) else tuple(c2w[:, 1])
            client.camera.position = tuple(position * VISER_NERFSTUDIO_SCALE_RATIO + forward)
            client.camera.look_at = tuple(target * VISER_NERFSTUDIO_SCALE_RATIO)
            client.camera.fov = float(2 * np.arctan(tangent))

    @property
    def _first(self) -> int:
        return self._scene.context[0] if self._scene.context else 0

    def _mark(self, place: int) -> Any:
        c2w, tangent, aspect = self._camera(place)
        return self.viser_server.scene.add_camera_frustum(
            f"/context/camera_{place:05d}",
            fov=float(2 * np.arctan(tangent)),
            aspect=aspect,
            scale=self._frustum_scale(_CONTEXT_FRUSTUM),
            color=_ORANGE,
            wxyz=(SO3.from_matrix(c2w[:, :3]) @ SO3.from_x_radians(np.pi)).wxyz,
            position=c2w[:, 3] * VISER_NERFSTUDIO_SCALE_RATIO,
        )

    def _frustum_scale(self, factor: float) -> float:
        return factor * self.viewer.config.camera_frustum_scale

    def _camera(self, place: int) -> tuple[Float[ndarray, "3 4"], float, float]:
        """Pose, tangent of half the height's angle, width by height."""
        camera = self._scene.train_cameras[place]
        height, width = float(camera.height), float(camera.width)
        return camera.camera_to_worlds.cpu().numpy(), height / 2 / float(camera.fy), width / height


def opening(
    c2w: Float[ndarray, "3 4"], means: Float[ndarray, "gaussian 3"]
) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Where a nerfstudio camera [3, 4] stands, and the point on its axis as far away as what it looks at."""
    position, axis = c2w[:, 3], -c2w[:, 2]
    return position, position + distance_seen(position, axis, means) * axis


def held_upright(c2w: Float[ndarray, "3 4"]) -> bool:
    """Whether up in the world (z) is up in a photo, within 27 degrees; never where it was taken from above."""
    right, up = c2w[2, :2]
    return bool(up > 0.2 and abs(right) < 0.5 * up)


def frustum_depth(tangent: float, aspect: float, scale: float) -> float:
    """How far before its tip viser draws a frustum's picture: every frustum has the volume of a cube of `scale`."""
    return scale / float(np.cbrt(tangent * tangent * aspect / 3))


class SceneControls:
    """What can be set under "Custom Elements": each element becomes an attribute of the pipeline by its name here."""

    def __init__(
        self,
        set_minimum_opacity: Callable[[float], None],
        show_feed_forward: Callable[[bool], None],
        encode: Callable[[list[int], int], None],
    ) -> None:
        """`encode` is called with photos (positions among the train photos) and a number of tokens."""
        self._encode, self._show = encode, show_feed_forward
        self.minimum_opacity = ViewerSlider(
            "Minimum opacity",
            0.0,
            0.0,
            1.0,
            0.01,
            cb_hook=lambda element: set_minimum_opacity(float(element.value)),
            hint="Gaussians that are more transparent are left out",
        )
        self.shown = ViewerDropdown(
            "Show",
            TUNED,
            [TUNED, FEED_FORWARD],
            cb_hook=lambda element: show_feed_forward(element.value == FEED_FORWARD),
            hint="What the tuning has reached, or what the network predicts from the context views",
        )

    def elements(self) -> dict[str, ViewerElement[Any]]:
        """Those that every run has."""
        return {"minimum_opacity": self.minimum_opacity}

    def encoding_elements(self, context: Sequence[int], tokens: int) -> dict[str, ViewerElement[Any]]:
        """Those that need photos and weights, which have `tokens` tokens of their own."""
        self.number_of_tokens = ViewerSlider(
            "Number of tokens", tokens, 1, 2 * tokens, 1, hint="Taken by the next encoding: quality against size"
        )
        self.context_views = ViewerText(
            "Context views", _listed(context), hint="Train photos for the next encoding, numbered from 0"
        )
        self.encode_again = ViewerButton("Encode again", cb_hook=self._encode_again)
        self.message = ViewerText("Encoded", "", disabled=True, hint="What the last encoding said")
        return {
            "shown": self.shown,
            "context_views": self.context_views,
            "number_of_tokens": self.number_of_tokens,
            "encode_again": self.encode_again,
            "encoded": self.message,
        }

    def show_context(self, context: Sequence[int]) -> None:
        """Name the photos that the encoder saw, where that can be set."""
        if hasattr(self, "context_views"):
            self.context_views.value = _listed(context)

    def _encode_again(self, element: Any) -> None:
        tokens = int(self.number_of_tokens.value)
        try:
            context = numbers(self.context_views.value)
            self._encode(context, tokens)
        except UserError as error:
            self.message.value = str(error)
            return
        self.shown.value = FEED_FORWARD
        self._show(True)
        self.message.value = f"{len(context)} views, {tokens} tokens"


def numbers(text: str) -> list[int]:
    """The whole numbers in a line, apart by blanks or commas; UserError for anything else, or none."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise UserError(f"'{text}' are no numbers of photos: write 0 3 7")
    found = [int(word) for word in words]
    if len(set(found)) != len(found):
        raise UserError(f"'{text}' names a photo twice")
    return found


def _listed(context: Sequence[int]) -> str:
    return " ".join(map(str, context))


def within(context: Sequence[int], count: int) -> list[int]:
    """The photos asked for; UserError where one is not among the `count` train photos."""
    beyond = [place for place in context if place >= count]
    if beyond:
        raise UserError(f"there is no train photo {beyond[0]}: they are numbered 0 to {count - 1}")
    return list(context)
