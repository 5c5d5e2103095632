"""Numerics and names that a rebuild must not move. `traces.py` makes the traces; the runs are of an earlier version."""

import json
from pathlib import Path

import pytest
import torch
from frozen.traces import traces

from tokengs_nerfstudio.core import load_network

FROZEN = Path(__file__).parent


@pytest.fixture(scope="module")
def now() -> dict[str, list[float]]:
    threads = torch.get_num_threads()
    try:
        return traces()
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("name", json.loads((FROZEN / "traces.json").read_text()))
def test_losses_are_those_of_before(now, name):
    """Another processor rounds differently, and the difference grows from step to step."""
    before = torch.tensor(json.loads((FROZEN / "traces.json").read_text())[name])
    assert len(now[name]) == len(before)
    torch.testing.assert_close(torch.tensor(now[name])[:12], before[:12], rtol=2e-4, atol=1e-5)
    torch.testing.assert_close(torch.tensor(now[name]), before, rtol=0.1, atol=0.02)


def test_parameters_keep_their_names_and_shapes():
    ours = {name: list(parameter.shape) for name, parameter in load_network("tiny").state_dict().items()}
    assert ours == json.loads((FROZEN / "tiny_keys.json").read_text())
