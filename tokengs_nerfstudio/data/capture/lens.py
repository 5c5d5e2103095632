"""Calibrated lenses: intrinsics through crops and resizes, and the pinhole camera that undistortion leads to."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tokengs_nerfstudio.core.errors import UserError


@dataclass(frozen=True)
class Window:
    """A rectangle of a source image, in pixels from its top left corner, shown as an image of width x height."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    height: int

    @property
    def is_whole(self) -> bool:
        """Whether the image is shown as it is: neither cropped nor resized."""
        return (self.left, self.top, self.right, self.bottom) == (0, 0, self.width, self.height)


def centred_window(source: tuple[int, int], shown: tuple[int, int]) -> Window:
    """The largest centred rectangle of a source of (width, height) with the aspect of the image it is shown as."""
    if source[0] * shown[1] == source[1] * shown[0]:
        return Window(0.0, 0.0, float(source[0]), float(source[1]), *shown)
    ratio = min(source[0] / shown[0], source[1] / shown[1])
    left, top = (source[0] - ratio * shown[0]) / 2, (source[1] - ratio * shown[1]) / 2
    return Window(left, top, source[0] - left, source[1] - top, *shown)


@dataclass(frozen=True)
class Lens:
    """Intrinsics in pixels (first pixel's centre at 0.5) and distortion coefficients.

    Without `fisheye` the coefficients are Brown's k1, k2, p1, p2, k3; with it the equidistant model's k1 to k4.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    coefficients: tuple[float, ...] = ()
    fisheye: bool = False

    @property
    def is_pinhole(self) -> bool:
        return not self.fisheye and not any(self.coefficients)

    @property
    def matrix(self) -> Float[ndarray, "3 3"]:
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    def scaled(self, x: float, y: float) -> "Lens":
        """The lens of the same image with its sides multiplied by x and y."""
        return replace(self, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y)

    def through(self, window: Window) -> "Lens":
        """The lens of the part of the image that the window shows."""
        moved = replace(self, cx=self.cx - window.left, cy=self.cy - window.top)
        return moved.scaled(window.width / (window.right - window.left), window.height / (window.bottom - window.top))

    def pinhole(self, width: int, height: int) -> "Lens":
        """The pinhole camera of the undistorted image, which keeps the size of the distorted one.

        For Brown's model it is OpenCV's optimal new camera with alpha 0, for the fisheye the one with balance 0, the
        choices nerfstudio makes: the view is narrowed until every pixel shows something of the distorted image.
        ValueError where the coefficients leave no such view.
        """
        if self.is_pinhole:
            return replace(self, coefficients=())
        if self.fisheye:
            new = cv2.fisheye.estimateNewCameraMatrixForUndistortRectify(
                self._opencv_matrix, np.array(self.coefficients), (width, height), np.eye(3), balance=0.0
            )
        else:
            new, _ = cv2.getOptimalNewCameraMatrix(
                self._opencv_matrix, np.array(self.coefficients), (width, height), 0.0
            )
        zoom = np.array([new[0, 0] / self.fx, new[1, 1] / self.fy])
        # Where the coefficients fold the image over, the search ends at absurd focal lengths.
        if not (np.isfinite(new).all() and (zoom > 0.1).all() and (zoom < 10).all()):
            raise UserError(
                f"the distortion {self.coefficients} leaves no pinhole view of a {width}x{height} image with focal "
                f"lengths {self.fx:g}, {self.fy:g}; check the calibration, or leave these frames out"
            )
        return Lens(float(new[0, 0]), float(new[1, 1]), float(new[0, 2]) + 0.5, float(new[1, 2]) + 0.5)

    def undistort(self, image: Float[ndarray, "height width *channel"]) -> Float[ndarray, "height width *channel"]:
        """The image (or mask) as `pinhole` of its size sees it, sampled bilinearly; a pinhole lens's image as it is."""
        if self.is_pinhole:
            return image
        height, width = image.shape[:2]
        new = self.pinhole(width, height)._opencv_matrix
        make_maps = cv2.fisheye.initUndistortRectifyMap if self.fisheye else cv2.initUndistortRectifyMap
        maps = make_maps(
            self._opencv_matrix, np.array(self.coefficients), np.eye(3), new, (width, height), cv2.CV_32FC1
        )
        straight = cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return straight.reshape(image.shape)  # OpenCV drops the axis of a single channel

    @property
    def _opencv_matrix(self) -> Float[ndarray, "3 3"]:
        """OpenCV puts the first pixel's centre at 0."""
        return self.matrix - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
