"""Masks of all kinds: which pixels are looked at."""

from pathlib import Path

import numpy as np
from cases.draft import HEIGHT, WIDTH, Draft, usual
from PIL import Image


def _half() -> np.ndarray:
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[:, : WIDTH // 2] = 0
    return mask


@usual
def mask(draft: Draft) -> None:
    """Same: 0 is ignored."""
    draft.mask(lambda _: Image.fromarray(_half()))
    draft.masked = _half() > 0


def mask_of_zeros_and_ones(draft: Draft) -> None:
    """Same: 0 is ignored, 1 is not."""
    draft.mask(lambda _: Image.fromarray(_half() // 255))
    draft.masked = _half() > 0


@usual
def mask_of_a_palette_whose_first_colour_is_white(draft: Draft) -> None:
    """Same: the colour counts, not its number."""

    def mask(_: int) -> Image.Image:
        made = Image.fromarray((_half() == 0).astype(np.uint8)).convert("P")
        made.putpalette([255, 255, 255, 0, 0, 0])
        return made

    draft.mask(mask)
    draft.masked = _half() > 0


@usual
def mask_as_jpeg(draft: Draft) -> None:
    """Same: near black is black."""
    noise = np.random.default_rng(0).integers(0, 6, (HEIGHT, WIDTH))
    draft.mask(lambda _: Image.fromarray(np.where(_half() > 0, 255, noise).astype(np.uint8)), ".jpg", quality=80)
    draft.masked = _half() > 0


def mask_of_one_bit(draft: Draft) -> None:
    """Same: 0 is ignored."""
    draft.mask(lambda _: Image.fromarray(_half()).convert("1"))
    draft.masked = _half() > 0


def mask_of_another_size(draft: Draft) -> None:
    """Error: `masks/frame_00001.png` does not fit."""
    draft.mask(lambda _: Image.fromarray(_half()[::2, ::2]))


def masks_that_leave_nothing(draft: Draft) -> None:
    """Error: the `masks` leave nothing."""
    draft.mask(lambda _: Image.fromarray(_half() * 0))


def one_mask_that_leaves_nothing(draft: Draft) -> None:
    """Works: the others are enough."""
    draft.mask(lambda index: Image.fromarray(_half() * (index != 2)))


def mask_in_colours(draft: Draft) -> None:
    """Error: `masks/frame_00001.png` has three channels."""
    draft.mask(lambda _: Image.fromarray(_half()).convert("RGB"))


@usual
def mask_missing_for_one(draft: Draft) -> None:
    """Error: `frame_00005.png` has no `mask_path`."""
    draft.mask(lambda index: None if index == 5 else Image.fromarray(_half()))


@usual
def masks_of_train_photos_alone(draft: Draft) -> None:
    """Same: nobody looks at masks of photos that are held out."""
    held_out = draft.meta["test_filenames"]
    draft.mask(lambda i: None if draft.frames[i]["file_path"] in held_out else Image.fromarray(_half()))
    draft.masked = _half() > 0


def mask_file_gone(draft: Draft) -> None:
    """Error: `masks/frame_00002.png` does not exist."""
    draft.mask(lambda _: Image.fromarray(_half()))
    (draft.folder / "masks/frame_00002.png").unlink()


def mask_cut_off(draft: Draft) -> None:
    """Error: `masks/frame_00002.png` cannot be read."""
    draft.mask(lambda _: Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)))
    file = draft.folder / "masks/frame_00002.png"
    file.write_bytes(file.read_bytes()[:500])


def mask_a_folder(draft: Draft) -> None:
    """Error: the mask `images` does not exist."""
    for frame in draft.frames:
        frame["mask_path"] = "images"


def mask_a_number(draft: Draft) -> None:
    """Error: `mask_path` is no path."""
    for frame in draft.frames:
        frame["mask_path"] = 3


@usual
def masks_not_reduced(draft: Draft) -> None:
    """Works: masks/ serves where there is no masks_2."""
    draft.mask(lambda _: Image.fromarray(_half()))
    (draft.folder / "images_2").mkdir()
    for index in range(len(draft.frames)):
        photo = draft.photo(index)
        Image.open(photo).resize((WIDTH // 2, HEIGHT // 2)).save(draft.folder / "images_2" / Path(photo).name)
    draft.options = ["tokengs-data", "--downscale-factor", "2"]
    draft.masked = _half()[::2, ::2] > 0


@usual
def mask_of_the_file(draft: Draft) -> None:
    """Same: it is one of every photo."""
    (draft.folder / "masks").mkdir()
    Image.fromarray(_half()).save(draft.folder / "masks/all.png")
    draft.meta["mask_path"] = "masks/all.png"
    draft.masked = _half() > 0
