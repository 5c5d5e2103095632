"""Camera geometry in the OpenCV convention: frames, rays, crops. World units are whatever the capture has."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor

from tokengs_nerfstudio.core.types import Gaussians, Views, _TensorRecord

Frame = Literal["first", "middle", "mean"]
ScaleRule = Literal["constant", "max_baseline", "distance", "bound"]

# Below this extent (in world units) cameras count as coincident: their distances say nothing about the scene's size.
_COINCIDENT = 1e-6


@dataclass(frozen=True)
class Similarity(_TensorRecord):
    """A change of frame, world -> canonical: x' = scale * (rotation @ x + translation)."""

    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]
    scale: Float[Tensor, "*batch"]

    @classmethod
    def identity(
        cls, *batch: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
    ) -> "Similarity":
        eye = torch.eye(3, dtype=dtype, device=device).expand(*batch, 3, 3)
        return cls(eye, eye.new_zeros(*batch, 3), eye.new_ones(batch))

    def inverse(self) -> "Similarity":
        rotation = self.rotation.mT
        translation = -self.scale[..., None] * _rotate(rotation, self.translation)
        return Similarity(rotation, translation, 1 / self.scale)

    def compose(self, first: "Similarity") -> "Similarity":
        """The similarity that applies `first` and then this one."""
        rotation = self.rotation @ first.rotation
        translation = _rotate(self.rotation, first.translation) + self.translation / first.scale[..., None]
        return Similarity(rotation, translation, self.scale * first.scale)

    def points(self, points: Float[Tensor, "*batch point 3"]) -> Float[Tensor, "*batch point 3"]:
        moved = einsum(self.rotation, points, "... i j, ... point j -> ... point i") + self.translation[..., None, :]
        return self.scale[..., None, None] * moved

    def cameras(self, c2w: Float[Tensor, "*batch view 4 4"]) -> Float[Tensor, "*batch view 4 4"]:
        """Camera-to-world matrices of the same cameras in the new frame; their axes stay orthonormal."""
        rotation = self.rotation[..., None, :, :] @ c2w[..., :3, :3]
        position = self.points(c2w[..., :3, 3])
        upper = torch.cat([rotation, position[..., None]], dim=-1)
        return torch.cat([upper, c2w[..., 3:, :]], dim=-2)

    def views(self, views: Views) -> Views:
        """The same photos with their cameras in the new frame."""
        return replace(views, c2w=self.cameras(views.c2w))

    def gaussians(self, gaussians: Gaussians) -> Gaussians:
        turn = quaternion_from_matrix(self.rotation)[..., None, :].expand_as(gaussians.quats)
        return Gaussians(
            means=self.points(gaussians.means),
            quats=_multiply_quaternions(turn, gaussians.quats),
            scales=gaussians.scales * self.scale[..., None, None],
            opacities=gaussians.opacities,
            colors=gaussians.colors,
        )


def canonical_frame(
    c2w: Float[Tensor, "*batch view 4 4"],
    frame: str = "first",
    scale: str = "max_baseline",
    value: float = 1.0,
) -> Similarity:
    """The frame a network sees a scene in, chosen from its context cameras.

    `frame` names the camera that becomes the identity: the first, the one nearest to the mean position, or the mean
    camera. `scale` multiplies lengths: by `value` (constant), or so that `value` becomes the largest distance between
    two cameras (max_baseline), the largest distance from the first camera (distance) or the largest absolute
    coordinate of a camera in the new frame (bound). Where the cameras coincide, or there is only one, these distances
    do not exist and lengths are multiplied by `value`.

    Raises ValueError for an unknown frame or scale rule, or no cameras at all.
    """
    if c2w.shape[-3] == 0:
        raise ValueError("canonical_frame needs at least one context camera, got none")
    rotation, position = _reference_camera(c2w, frame)
    rotation = rotation.mT
    translation = -_rotate(rotation, position)
    centers = c2w[..., :3, 3]
    in_frame = einsum(rotation, centers, "... i j, ... view j -> ... view i") + translation[..., None, :]
    if scale == "constant":
        factor = torch.full_like(translation[..., 0], value)
    else:
        extent = _camera_extent(in_frame, scale)
        known = extent > _COINCIDENT
        factor = torch.where(known, value / torch.where(known, extent, torch.ones_like(extent)), value)
    return Similarity(rotation, translation, factor)


def _camera_extent(centers: Float[Tensor, "*batch view 3"], rule: str) -> Float[Tensor, "*batch"]:
    if rule == "max_baseline":
        return (centers[..., :, None, :] - centers[..., None, :, :]).norm(dim=-1).amax(dim=(-1, -2))
    if rule == "distance":
        return (centers - centers[..., :1, :]).norm(dim=-1).amax(dim=-1)
    if rule == "bound":
        return centers.abs().amax(dim=(-1, -2))
    raise ValueError(f"unknown scale rule {rule!r}; choose constant, max_baseline, distance or bound")


def _reference_camera(
    c2w: Float[Tensor, "*batch view 4 4"], frame: str
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    rotations, centers = c2w[..., :3, :3], c2w[..., :3, 3]
    if frame == "first":
        return rotations[..., 0, :, :], centers[..., 0, :]
    if frame == "middle":
        index = (centers - centers.mean(dim=-2, keepdim=True)).norm(dim=-1).argmin(dim=-1)
        rotation = torch.take_along_dim(rotations, index[..., None, None, None], dim=-3)
        return rotation[..., 0, :, :], torch.take_along_dim(centers, index[..., None, None], dim=-2)[..., 0, :]
    if frame == "mean":
        return _mean_axes(rotations), centers.mean(dim=-2)
    raise ValueError(f"unknown camera frame {frame!r}; choose first, middle or mean")


def _mean_axes(rotations: Float[Tensor, "*batch view 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Axes of the mean camera; the first camera's where the mean of an axis vanishes (cameras facing each other)."""
    mean, first = rotations.mean(dim=-3), rotations[..., 0, :, :]
    forward = mean[..., 2]
    down = mean[..., 1]
    clear = forward.norm(dim=-1, keepdim=True) > _COINCIDENT
    forward = F.normalize(torch.where(clear, forward, first[..., 2]), dim=-1)
    down = down - (down * forward).sum(dim=-1, keepdim=True) * forward
    for axis in (1, 0):
        spare = first[..., axis] - (first[..., axis] * forward).sum(dim=-1, keepdim=True) * forward
        down = torch.where(down.norm(dim=-1, keepdim=True) > _COINCIDENT, down, spare)
    down = F.normalize(down, dim=-1)
    return torch.stack([torch.linalg.cross(down, forward), down, forward], dim=-1)


def invert_rigid(c2w: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Inverse of rigid transforms (camera-to-world <-> world-to-camera) without a matrix inversion."""
    rotation = c2w[..., :3, :3].mT
    translation = -_rotate(rotation, c2w[..., :3, 3])
    upper = torch.cat([rotation, translation[..., None]], dim=-1)
    return torch.cat([upper, c2w[..., 3:, :]], dim=-2)


def intrinsics_matrix(
    fx: Float[Tensor, "*batch"], fy: Float[Tensor, "*batch"], cx: Float[Tensor, "*batch"], cy: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3 3"]:
    """Pinhole matrices from focal lengths and principal points in pixels."""
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [torch.stack([fx, zero, cx], -1), torch.stack([zero, fy, cy], -1), torch.stack([zero, zero, one], -1)]
    return torch.stack(rows, dim=-2)


def pixel_rays(
    c2w: Float[Tensor, "*batch view 4 4"], intrinsics: Float[Tensor, "*batch view 3 3"], height: int, width: int
) -> tuple[Float[Tensor, "*batch view 3 {height} {width}"], Float[Tensor, "*batch view 3 {height} {width}"]]:
    """World-space origins and unit directions of the rays through the pixel centres."""
    options = {"dtype": c2w.dtype, "device": c2w.device}
    column = torch.arange(width, **options) + 0.5
    row = torch.arange(height, **options) + 0.5
    x = (column - intrinsics[..., 0, 2, None]) / intrinsics[..., 0, 0, None]
    y = (row - intrinsics[..., 1, 2, None]) / intrinsics[..., 1, 1, None]
    x = x[..., None, :].expand(*x.shape[:-1], height, width)
    y = y[..., :, None].expand(*y.shape[:-1], height, width)
    in_camera = torch.stack([x, y, torch.ones_like(x)], dim=-3)
    in_world = einsum(c2w[..., :3, :3], in_camera, "... i j, ... j height width -> ... i height width")
    directions = F.normalize(in_world, dim=-3)
    return c2w[..., :3, 3, None, None].expand_as(directions), directions


def pluecker(
    c2w: Float[Tensor, "*batch view 4 4"], intrinsics: Float[Tensor, "*batch view 3 3"], height: int, width: int
) -> Float[Tensor, "*batch view 6 {height} {width}"]:
    """Pluecker coordinates of the pixels' rays: moment o x d in channels 0:3, unit direction d in 3:6."""
    origins, directions = pixel_rays(c2w, intrinsics, height, width)
    return torch.cat([torch.linalg.cross(origins, directions, dim=-3), directions], dim=-3)


def project(
    points: Float[Tensor, "*batch point 3"],
    c2w: Float[Tensor, "*batch view 4 4"],
    intrinsics: Float[Tensor, "*batch view 3 3"],
) -> tuple[Float[Tensor, "*batch view point 2"], Float[Tensor, "*batch view point"]]:
    """Pixel coordinates and z-depths of world points in every view; pixels mean nothing where z is not positive."""
    w2c = invert_rigid(c2w)
    turned = einsum(w2c[..., :3, :3], points, "... view i j, ... point j -> ... view point i")
    in_camera = turned + w2c[..., None, :3, 3]
    z = in_camera[..., 2]
    homogeneous = einsum(intrinsics, in_camera, "... view i j, ... view point j -> ... view point i")
    return homogeneous[..., :2] / z[..., None], z


def crop_and_resize(views: Views, height: int, width: int, published_rounding: bool = False) -> Views:
    """The largest centred crop of the wanted aspect, resized with antialiasing; cameras and masks adapted exactly.

    With `published_rounding` the principal point is shifted as the published TokenGS pipeline does: half a pixel off
    where an odd number of rows or columns is cut away, which its weights were trained with.

    Raises ValueError when the wanted size is not positive.
    """
    if height < 1 or width < 1:
        raise ValueError(f"cannot resize to {height}x{width}: height and width must be at least 1 pixel")
    full_height, full_width = views.height, views.width
    ratio = min(full_height / height, full_width / width)
    slack = 0.0 if published_rounding else 1e-6  # 256 * (455 / 256) must count as 455 rows, not 454
    crop_height, crop_width = max(1, int(height * ratio + slack)), max(1, int(width * ratio + slack))
    # An even split of the cut rows, ties to even: torchvision's centre crop, which the published pipeline uses.
    top, left = round((full_height - crop_height) / 2), round((full_width - crop_width) / 2)
    cut = (..., slice(top, top + crop_height), slice(left, left + crop_width))
    images = resized_images(views.images[cut], height, width)
    masks = None if views.masks is None else wholly_valid(resized_images(views.masks[cut], height, width))
    shift_x = (full_width - crop_width) / 2 if published_rounding else left
    shift_y = (full_height - crop_height) / 2 if published_rounding else top
    intrinsics = cropped_intrinsics(views.intrinsics, shift_x, shift_y, width / crop_width, height / crop_height)
    return Views(images, views.c2w, intrinsics, views.times, masks)


def resized_images(images: Float[Tensor, "*image c _ _"], height: int, width: int) -> Float[Tensor, "*image c h w"]:
    """Bilinear with antialiasing, as it is where the size is right already."""
    if images.shape[-2:] == (height, width):
        return images
    flat = rearrange(images, "... c h w -> (...) c h w")
    flat = F.interpolate(flat, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return flat.reshape(*images.shape[:-2], height, width)


def wholly_valid(masks: Float[Tensor, "*pixel"]) -> Float[Tensor, "*pixel"]:
    """Resampled masks, 1 again only where every pixel behind is valid: nothing that is masked shines through."""
    return (masks > 0.999).to(masks)


def cropped_intrinsics(
    intrinsics: Float[Tensor, "*batch 3 3"], left: float, top: float, scale_x: float, scale_y: float
) -> Float[Tensor, "*batch 3 3"]:
    """Intrinsics after cutting `left` columns and `top` rows away and then scaling the rest."""
    shift = torch.zeros_like(intrinsics)
    shift[..., 0, 2], shift[..., 1, 2] = left, top
    scale = intrinsics.new_tensor([scale_x, scale_y, 1.0])
    return (intrinsics - shift) * scale[:, None]


def quaternion_from_matrix(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit wxyz quaternions of rotation matrices, by the largest of the four components (Shepperd 1978)."""
    m = rotation
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = torch.stack([1 + xx + yy + zz, 1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz], dim=-1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    candidates = torch.stack(
        [
            torch.stack([squares[..., 0], wx, wy, wz], -1),
            torch.stack([wx, squares[..., 1], xy, xz], -1),
            torch.stack([wy, xy, squares[..., 2], yz], -1),
            torch.stack([wz, xz, yz, squares[..., 3]], -1),
        ],
        dim=-2,
    )
    best = squares.argmax(dim=-1)[..., None, None]
    return F.normalize(torch.take_along_dim(candidates, best, dim=-2)[..., 0, :], dim=-1)


def _multiply_quaternions(a: Float[Tensor, "*batch 4"], b: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Hamilton product of wxyz quaternions: the rotation b followed by a."""
    aw, av = a[..., :1], a[..., 1:]
    bw, bv = b[..., :1], b[..., 1:]
    real = aw * bw - (av * bv).sum(dim=-1, keepdim=True)
    imaginary = aw * bv + bw * av + torch.linalg.cross(av, bv)
    return torch.cat([real, imaginary], dim=-1)


def _rotate(rotation: Float[Tensor, "*batch 3 3"], vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    return (rotation @ vector[..., None])[..., 0]
