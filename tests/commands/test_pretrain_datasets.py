"""`tokengs-pretrain` on data sets of a few tiny scenes in the layouts that researchers have."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made.datasets import HASHES, write_dl3dv, write_kubric, write_re10k
from made.runs import logged, options
from made.training import SMALL, write_captures

from tokengs_nerfstudio.commands.pretrain import Run, main
from tokengs_nerfstudio.commands.pretraining import Pretraining
from tokengs_nerfstudio.core.checkpoint.loading import load_network
from tokengs_nerfstudio.core.errors import UserError
from tokengs_nerfstudio.core.network.config import PRESETS
from tokengs_nerfstudio.data.examples.scenes import CapturesConfig
from tokengs_nerfstudio.data.examples.shapes import BatchConfig

pytestmark = pytest.mark.usefixtures("small_preset", "threads")

MOVING = replace(
    SMALL, tokens=8, gaussians_per_token=4, dynamic_tokens=4, time_channels=2, frame="mean", scale="pointmap",
    image_size=(16, 16),
)  # fmt: skip
SHORT = ["--device", "cpu", "--held-out", "4", "--evaluate-every", "4"]
SMALL_BATCHES = ["--batches.scenes", "2", "--batches.side", "16", "--batches.late", "2", "--batches.context", "2", "4"]


@pytest.fixture
def roots(tmp_path) -> list[Path]:
    return [
        write_dl3dv(tmp_path / "dl3dv", 3),
        write_re10k(tmp_path / "re10k", 2, 2),
        write_kubric(tmp_path / "kubric", 2, cameras=4, moments=5),
        write_captures(tmp_path / "captures"),
    ]


def test_an_epoch_of_all_data_sets_and_procedural_scenes(tmp_path, roots, capsys):
    mixed = ["--data", *map(str, roots), "--weights", "3", "2", "1", "1", "--captures.share", "0.8"]
    main(["--output", str(tmp_path / "run"), "--steps", "12", *SHORT, *SMALL_BATCHES, *mixed])
    lines = logged(tmp_path / "run")
    assert len(lines) == 12
    assert all(np.isfinite(line["loss"]) for line in lines.values())
    assert {"depth" in line for line in lines.values()} == {True, False}
    assert lines[12]["held_out_psnr"] > 0
    assert load_network(tmp_path / "run/network.safetensors").config.width == SMALL.width
    assert "dB on novel views of held-out scenes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--data", "kubric", "--weights", "1", "2"], "--weights has 2 numbers for 1 folders of --data"),
        (["--data", "kubric", "nowhere"], "no captures in nowhere, and no data set: there is no such folder"),
        (["--data", "kubric", "--weights", "-1"], "--weights is .*: one of its values is -1"),
        (
            ["--data", "kubric", "--batches.size", "20", "16"],
            "images of 20x16 are no multiples of .* patches",
        ),
        (["--data", "re10k", "--captures.broken", "2"], "--captures.broken is 2.0; a number from 0 to 1"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, roots, monkeypatch, more, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"^Error: .*{said}"):
        main(["--output", "run", "--steps", "2", *SHORT, "--batches.context", "2", "4", *more])
    assert not (tmp_path / "run").exists()


def test_broken_scenes_are_left_out_until_they_are_too_many(tmp_path, caplog, no_shape_checks):
    root = write_dl3dv(tmp_path / "dl3dv", 4)
    (root / f"1K/{HASHES[2]}.zip").write_bytes(b"nothing")
    config = options(tmp_path / "run", steps=3, data=(root,), captures=CapturesConfig(broken=0.25))
    Run(config).train()
    assert caplog.text.count("left out, for it is broken") == 1
    assert HASHES[2] in caplog.text
    with pytest.raises(UserError, match=f"1 of 4 scenes are broken, more than a share of 0.05: {HASHES[2]}"):
        Run(options(tmp_path / "strict", steps=3, data=(root,)))


@pytest.mark.parametrize("steps", [None, 2])
def test_kubric_trains_a_network_of_times(tmp_path, monkeypatch, steps):
    monkeypatch.setitem(PRESETS, "kubric-dynamic", MOVING)
    root = write_kubric(tmp_path / "kubric", 2, cameras=4, moments=5, size=16)
    output = tmp_path / "run"
    config = Pretraining(
        output, "kubric", steps=steps, data=(root,), device="cpu", held_out=2, batches=BatchConfig(scenes=2), threads=1
    )
    run = Run(config)
    assert run.config.steps == (steps or 50_000)
    example = run._batch(0)
    assert example.context.images.shape == (2, 4, 3, 16, 16)
    assert example.target.images.shape == (2, 4, 3, 16, 16)
    context, target = example.context.times, example.target.times
    assert context is not None
    assert target is not None
    assert (context.diff(dim=1) > 0).all()
    assert torch.equal(target, target[:, :1].expand_as(target))
    both = torch.cat([context, target], 1)
    assert (both.amin(1) == 0).all()
    assert (both.amax(1) == 1).all()
    if steps is not None:
        run.train()
        assert load_network(output / "network.safetensors").config == MOVING
        assert "depth" not in logged(output)[2]


def test_still_scenes_have_the_time_zero_for_a_network_of_times(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "moving", replace(MOVING, scale="max_baseline"))
    roots = (write_kubric(tmp_path / "kubric", 2, cameras=4, moments=5), write_captures(tmp_path / "captures"))
    run = Run(
        options(tmp_path / "run", 2, preset="moving", data=roots, batches=BatchConfig(2, (2, 4), side=16, late=2))
    )
    run.train()
    times = [run._batch(number).target.times for number in range(8)]
    assert {bool((at == 0).all()) for at in times if at is not None} == {True, False}
    assert len([at for at in times if at is not None]) == 8


def test_a_scale_by_depths_needs_depths(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "kubric-dynamic", MOVING)
    root = write_captures(tmp_path / "captures")
    run = Run(Pretraining(tmp_path / "run", "kubric", steps=1, data=(root,), device="cpu"))
    with pytest.raises(UserError, match="it needs scenes with depths, which Kubric's and procedural ones are"):
        run._batch(0)
