"""Devices by name."""

import pytest
import torch

from tokengs_nerfstudio.core.device import cpu_name, device_name, usable_device
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.training.ranks import Ranks


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ("cud", "there is no device 'cud'; use cuda, cuda:1 or cpu"),
        ("mps", "the device is mps; splats are drawn on cuda and cpu alone"),
        ("cuda:1", "the device is cuda:1, but torch finds 1 CUDA devices here; use cpu"),
    ],
)
def test_a_device_that_is_not_there_is_said(device: str, said: str, monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(UserError, match=said):
        Ranks(device)
    assert usable_device("cuda:0") == usable_device(torch.device("cuda", 0))


def test_a_processor_has_a_name() -> None:
    assert device_name(torch.device("cpu")) == cpu_name() != ""
