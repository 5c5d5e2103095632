"""What a tuning was made of, small enough for its checkpoint: whether another start has the same before it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from tokengs_nerfstudio.core.network.tokengs import TokenGSNetwork
from tokengs_nerfstudio.core.preparation import PreparedScene
from tokengs_nerfstudio.core.types import Views

# Pictures are kept as thumbnails: their means hardly depend on how another version or machine resizes.
_SIDE, _LEVELS = 16, 3
# Of positions, against the spread of the cameras; of rotations, focal lengths and scales, against themselves.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Fingerprint:
    """Weights, photos, masks, cameras, times and canonical frame of one scene; photos in the order of `names`."""

    weights: str
    """of the network's parameters and configuration, tokens counted"""
    names: list[str]
    photos: UInt8[Tensor, "view 3 side side"]
    masks: UInt8[Tensor, "view 1 side side"] | None
    c2w: Float[Tensor, "view 4 4"]
    intrinsics: Float[Tensor, "view 3 3"]
    times: Float[Tensor, " view"] | None
    frame: Float[Tensor, " 13"]
    """rotation, translation and scale from the world to the canonical frame"""

    @classmethod
    def of(
        cls, network: TokenGSNetwork, scene: PreparedScene, supervised: Views, names: Sequence[str]
    ) -> "Fingerprint":
        """Of the photos `supervised` of one scene in the world frame, which `names` names."""
        frame = scene.to_canonical
        numbers = torch.cat([frame.rotation.reshape(-1), frame.translation.reshape(-1), frame.scale.reshape(-1)])
        photos, masks = _pictures(supervised)
        return cls(
            weights=digest(network),
            names=list(names),
            photos=photos,
            masks=masks,
            c2w=supervised.c2w.cpu().clone(),
            intrinsics=supervised.intrinsics.cpu().clone(),
            times=None if supervised.times is None else supervised.times.cpu().clone(),
            frame=numbers.cpu().clone(),
        )

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values."""
        return dict(vars(self))

    def difference(self, before: Mapping[str, Any]) -> str | None:
        """What is no longer as in `before`, the `state_dict` of another fingerprint; None where all of it is."""
        if self.names != before["names"]:
            return f"other photos: {_changed_names(before['names'], self.names)}"
        checks = (
            ("other pictures in", self._other_pictures("photos", before)),
            ("other masks of", self._other_pictures("masks", before)),
            ("other camera poses of", self._named(moved(self.c2w, before["c2w"]))),
            ("other camera intrinsics of", self._others(self.intrinsics, before["intrinsics"])),
            ("other times of", self._others(self.times, before["times"])),
        )
        for said, others in checks:
            if others:
                more = f" and {len(others) - 3} more" if len(others) > 3 else ""
                return f"{said} {', '.join(others[:3])}{more}"
        if self.weights != before["weights"]:
            return "other weights, or another number of tokens"
        if not _near(self.frame[:-1], before["frame"][:-1]) or not _near(self.frame[-1], before["frame"][-1], 0.0):
            scales = [float(frame[-1]) for frame in (before["frame"], self.frame)]
            return (
                f"another canonical frame, of scale {scales[0]:.4g}, now {scales[1]:.4g} (--pipeline.model.scene-scale)"
            )
        return None

    def _other_pictures(self, kind: str, before: Mapping[str, Any]) -> list[str]:
        ours, theirs = getattr(self, kind), before[kind]
        if ours is None or theirs is None or ours.shape != theirs.shape:
            return [] if ours is theirs else self.names
        return self._named((ours.int() - theirs.int()).abs().flatten(1).amax(1) > _LEVELS)

    def _others(self, ours: Tensor | None, theirs: Tensor | None) -> list[str]:
        if ours is None or theirs is None:
            return [] if ours is theirs else self.names
        return self._named(changed(ours, theirs))

    def _named(self, others: Bool[Tensor, " view"]) -> list[str]:
        return [name for name, other in zip(self.names, others.tolist()) if other]


def moved(c2w: Float[Tensor, "view row 4"], before: Float[Tensor, "view row 4"]) -> Bool[Tensor, " view"]:
    """Which of some cameras, one at least, are not where they were before, measured by how far they are apart."""
    spread = (c2w[:, :3, 3] - c2w[:, :3, 3].mean(0)).norm(dim=-1).amax()
    unit = float(spread) if spread > 0 else 1.0
    weights = torch.tensor([1.0, 1.0, 1.0, 1 / unit])
    return ((c2w - before) * weights).abs().flatten(1).amax(1) > _TOLERANCE


def changed(numbers: Float[Tensor, " view *each"], before: Float[Tensor, " view *each"]) -> Bool[Tensor, " view"]:
    """Of which views the numbers (focal lengths, times) are others than before, but for a small share of them."""
    near = torch.isclose(numbers, before, rtol=_TOLERANCE, atol=0.1 * _TOLERANCE)
    return ~near.reshape(len(near), -1).all(1)


def digest(network: TokenGSNetwork) -> str:
    """A hash of a network's parameters and configuration; its precision has no part in it."""
    found = hashlib.blake2b(json.dumps(asdict(network.config), sort_keys=True).encode(), digest_size=16)
    for name, value in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _pictures(views: Views) -> tuple[UInt8[Tensor, "view 3 side side"], UInt8[Tensor, "view 1 side side"] | None]:
    """Thumbnails of all photos and masks, photo after photo: those that are not in memory are read one by one."""
    photos, masks = [], []
    for number in range(views.num_views):
        view = views.select([number])
        photos.append(_thumbnails(view.images))
        if view.masks is not None:
            masks.append(_thumbnails(view.masks))
    return torch.cat(photos), torch.cat(masks) if masks else None


def _thumbnails(pictures: Float[Tensor, "view channel _ _"]) -> UInt8[Tensor, "view channel side side"]:
    small = [F.adaptive_avg_pool2d(picture, _SIDE) for picture in pictures]
    return (255 * torch.stack(small).clamp(0, 1)).round().byte().cpu()


def _near(one: Tensor, other: Tensor, least: float = 0.1 * _TOLERANCE) -> bool:
    """Equal but for a small share, or for `least`."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=_TOLERANCE, atol=least)


def _changed_names(before: Sequence[str], now: Sequence[str]) -> str:
    gone, new = ([name for name in a if name not in set(b)] for a, b in ((before, now), (now, before)))
    said = [f"{word} {', '.join(names[:3])}" for word, names in (("without", gone), ("with", new)) if names]
    return " and ".join(said) or "in another order"
