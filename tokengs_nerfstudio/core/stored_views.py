"""Photos of a large capture: in 8 bits a channel as far as memory goes, beyond that read whenever looked at."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from tokengs_nerfstudio.core.types import OPAQUE, Views

Reader = Callable[[], Views]
"""Gives one view, with floats for pixels."""

_log = logging.getLogger(__name__)

# Floats as long as they take no more than this share of the memory there is for photos.
_FLOATS = 0.25
_PIXELS = ("images", "masks", "alphas")


@dataclass(frozen=True)
class StoredViews(Views):
    """Views whose cameras are at hand and whose pixels `select` brings, on the cameras' device.

    `images` only has the shape: its values are not numbers. What pixels say of all views is in the properties.
    """

    readers: tuple[Reader, ...] = ()
    valid: tuple[float, ...] = ()
    """share of each view's pixels that may supervise"""
    has_masks: bool = False
    has_alphas: bool = False

    @property
    def in_memory(self) -> bool:
        return False

    @property
    def masked(self) -> bool:
        return self.has_masks

    @property
    def cut_out(self) -> bool:
        return self.has_alphas

    @property
    def valid_share(self) -> float:
        return sum(self.valid) / len(self.valid)

    def usable(self) -> list[int]:
        return [index for index, share in enumerate(self.valid) if share > 0]

    def select(self, indices: Sequence[int] | Tensor | slice) -> Views:
        """The views at `indices`, read now."""
        some = self.subset(indices)
        read = joined([replace(reader(), depths=None) for reader in some.readers]).to(some.c2w.device)
        alphas = read.alphas if self.cut_out else None
        if self.cut_out and alphas is None:
            alphas = torch.ones_like(read.images[:, :1])
        return Views(read.images, some.c2w, some.intrinsics, some.times, read.masks, alphas=alphas)

    def subset(self, indices: Sequence[int] | Tensor | slice) -> "StoredViews":
        """The views at `indices`, not read."""
        every = range(self.num_views)
        places = list(every[indices]) if isinstance(indices, slice) else [int(index) for index in indices]
        at = torch.tensor(places, dtype=torch.long, device=self.c2w.device)
        return replace(
            self,
            images=self.images[: len(places)],
            c2w=self.c2w[at],
            intrinsics=self.intrinsics[at],
            times=None if self.times is None else self.times[at],
            readers=tuple(self.readers[place] for place in places),
            valid=tuple(self.valid[place] for place in places),
        )

    def zip(self, other: Any, function: Callable[[Tensor, Tensor], Tensor]) -> "StoredViews":
        """`function` of the cameras and times alone: pixels stay where they are."""
        moved = {name: function(getattr(self, name), getattr(other, name)) for name in ("c2w", "intrinsics")}
        times = None if self.times is None or other.times is None else function(self.times, other.times)
        return replace(self, **moved, times=times)


def cut_out_by_masks(views: Views, background: float) -> Views:
    """What masks hide becomes nothing, through which `background` shows; stored views are cut out when they are read.

    The views are one scene's, with the background that is rendered over already behind what is cut out of them.
    """
    if isinstance(views, StoredViews):
        readers = tuple(partial(_read_cut_out, reader, background) for reader in views.readers)
        cut = views.cut_out or views.masked
        return replace(views, readers=readers, valid=(1.0,) * len(readers), has_masks=False, has_alphas=cut)
    if views.masks is None:
        return views
    alphas = views.masks if views.alphas is None else views.masks * views.alphas
    images = views.images * views.masks + (1 - views.masks) * background
    return replace(views, images=images, masks=None, alphas=alphas)


def _read_cut_out(reader: Reader, background: float) -> Views:
    return cut_out_by_masks(reader(), background)


def stored(photos: Iterator[Views], read: Callable[[int], Views], count: int, memory: float) -> Views:
    """`count` views of one size, which `photos` brings one by one, in at most about `memory` bytes.

    As floats where these need no more than a quarter of it, else in 8 bits a channel; those beyond the memory are asked
    of `read`, by their number, whenever they are looked at. Only floats keep their depths.
    """
    first = next(photos)
    size = sum(value.numel() for name, value in first.tensors() if name in _PIXELS)
    every = chain([first], photos)
    if 4 * size * count <= _FLOATS * memory:
        return joined(list(every))
    in_memory = min(int(memory // size), count)
    _say(first, size, count, in_memory)
    if first.depths is not None:
        _log.warning("so many photos are kept without their depths, which the tuning does without")
    kept = _Bytes(in_memory, first)
    c2w, intrinsics, times, valid, cut_out = [], [], [], [], False
    for number, photo in enumerate(every):
        kept.put(number, replace(photo, depths=None))
        # Copies: what is cut from a photo keeps all of it in memory.
        c2w.append(photo.c2w.clone())
        intrinsics.append(photo.intrinsics.clone())
        times.append(None if photo.times is None else photo.times.clone())
        valid.append(photo.valid_share)
        cut_out = cut_out or (photo.alphas is not None and bool((photo.alphas < OPAQUE).any()))
    known = [time for time in times if time is not None]
    return StoredViews(
        images=torch.full((1, 1, 1, 1), torch.nan).expand(count, 3, first.height, first.width),
        c2w=torch.cat(c2w),
        intrinsics=torch.cat(intrinsics),
        times=torch.cat(known) if known else None,
        readers=tuple(partial(kept.read if number < in_memory else read, number) for number in range(count)),
        valid=tuple(valid),
        has_masks=first.masked,
        has_alphas=cut_out,
    )


def _say(first: Views, size: int, count: int, in_memory: int) -> None:
    needed = f"{count} photos of {first.width}x{first.height} need {size * count / 2**30:.1f} GiB in 8 bits a channel"
    if in_memory == count:
        _log.info(f"{needed} and are kept so: as floats they would need four times as much")
        return
    _log.warning(
        f"{needed}: {in_memory} of them are kept, the others are read again whenever they are looked at, which takes "
        "time; give more memory (--pipeline.datamanager.photo-memory) or look at smaller ones (max-image-size)"
    )


class _Bytes:
    """Photos rounded to 8 bits a channel, in one piece of memory: among what reading them needs and leaves, pieces of
    their own would tear holes that nothing else fits into."""

    def __init__(self, count: int, like: Views):
        self._count = count
        self._pixels = {"images": torch.empty(count, 3, like.height, like.width, dtype=torch.uint8)}
        if like.masked:
            self._pixels["masks"] = self._whole(255)
        self._cameras: dict[int, dict[str, Tensor]] = {}

    def _whole(self, value: int) -> Tensor:
        return torch.full_like(self._pixels["images"][:, :1], value)

    def put(self, number: int, photo: Views) -> None:
        """Keeps a photo, as long as there is a place with its number."""
        if number >= self._count:
            return
        if photo.cut_out and "alphas" not in self._pixels:
            self._pixels["alphas"] = self._whole(255)
        for name, pixels in self._pixels.items():
            values = getattr(photo, name)
            if values is not None:
                pixels[number] = (values[0] * 255).round().byte()
        cameras = {name: value.clone() for name, value in photo.tensors() if name not in _PIXELS}
        self._cameras[number] = cameras

    def read(self, number: int) -> Views:
        """The photo with that number."""
        pixels = {name: values[number][None].float() / 255 for name, values in self._pixels.items()}
        return Views(**pixels, **self._cameras[number])


def joined(photos: Sequence[Views]) -> Views:
    """Views from single ones; where some are cut out, the others are opaque."""
    if not any(photo.cut_out for photo in photos):
        return Views.cat(photos)
    opaque = torch.ones_like(photos[0].images[:, :1])
    return Views.cat([photo if photo.cut_out else replace(photo, alphas=opaque) for photo in photos])
