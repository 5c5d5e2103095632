"""What a run computes on: the device by its name, and what it is called."""

import platform
from pathlib import Path

import torch

from tokengs_nerfstudio.core.errors import UserError


def usable_device(name: str | torch.device) -> torch.device:
    """The device of that name; UserError where it is none that splats are drawn on, or is not in this machine."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"there is no device {name!r}; use cuda, cuda:1 or cpu") from error
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"the device is {device}; splats are drawn on cuda and cpu alone")
    there = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= there:
        raise UserError(f"the device is {device}, but torch finds {there or 'no'} CUDA devices here; use cpu")
    return device


def device_name(device: torch.device) -> str:
    """The card's name, or the processor's as the system has it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


def cpu_name() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
