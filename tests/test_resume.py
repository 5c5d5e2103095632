"""Going on with a run: only with what it was made of, and never over another run's checkpoints."""

import copy
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made.captures import edit
from made.tuned_runs import checkpoints, looked_at, refused, run_config, trained

from tokengs_nerfstudio.core.errors import CommandEnded
from tokengs_nerfstudio.data.finished_run import newest_checkpoint


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("scene_scale", 3.0, r"another canonical frame, of scale .* \(--pipeline\.model\.scene-scale\)"),
        ("num_tokens", 16, "another number of tokens"),
        ("tuning.cameras.pose_rate", 1e-3, "refined poses False, now it is True"),
        ("tuning.cameras.exposure_rate", 1e-3, "tuned exposures False, now it is True"),
        ("tuning.space", "gaussians", "tuning.space 'tokens', now it is 'gaussians'"),
        ("tuning.stopping.rule", "held-out", "tuning.stopping 'steps"),
    ],
)
def test_options_that_cannot_change_on_the_way_are_named(capture, weights, finished, tmp_path, path, value, said):
    config = run_config(capture, weights, tmp_path / "out", load_dir=finished)
    *owners, name = path.split(".")
    part: Any = config.pipeline.model
    for owner in owners:
        part = getattr(part, owner)
    setattr(part, name, value)
    with pytest.raises(CommandEnded, match=said):
        config.setup(local_rank=0, world_size=1).setup()
    assert not config.get_base_dir().exists()


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(saved: dict[str, Any]) -> None:
        *owners, name = path.split("/")
        part: Any = saved
        for owner in owners:
            part = part[int(owner) if owner.isdecimal() else owner]
        part[name] = value

    return change


def no_tokens(saved: dict[str, Any]) -> None:
    saved["tuning"]["state"]["variables"][1]["tokens"].fill_(math.nan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed("tuning", {}), "cannot be read as a checkpoint (KeyError: 'scene')"),
        (changed("tuning/scene", None), "cannot be read as a checkpoint"),
        (changed("tuning/scene/context", 3), "cannot be read as a checkpoint"),
        (changed("step", "five"), "step is 'five'; a whole number is needed"),
        (changed("tuning/state/plan", [("magic", 3)]), "impossible plan"),
        (changed("tuning/state/stage", (7, 0)), "impossible plan"),
        (changed("tuning/state/variables", {}), "cannot be read as a checkpoint"),
        (no_tokens, "holds values that are not finite"),
        (lambda saved: saved.pop("tuning"), "is no checkpoint of `ns-train tokengs`"),
    ],
)
def test_checkpoints_of_other_content_are_one_line(capture, weights, finished, tmp_path, change, said):
    saved = torch.load(newest_checkpoint(finished), weights_only=True)
    change(saved)
    torch.save(saved, tmp_path / "step-000000000.ckpt")
    config = run_config(capture, weights, tmp_path / "out", load_checkpoint=tmp_path / "step-000000000.ckpt")
    assert said in refused(config)


def test_files_that_are_no_checkpoints_are_one_line(capture, weights, finished, tmp_path):
    content = bytearray(newest_checkpoint(finished).read_bytes())
    middle = slice(len(content) // 3, len(content) // 3 + 4000)
    content[middle] = bytes(255 - byte for byte in content[middle])
    for name, written in (("text", b"no checkpoint"), ("json", json.dumps([1]).encode()), ("flipped", bytes(content))):
        file = tmp_path / f"{name}.ckpt"
        file.write_bytes(written)
        assert str(file) in refused(run_config(capture, weights, tmp_path / "out", load_checkpoint=file))


def test_names_with_markup_are_printed_as_they_are(capture, weights, tmp_path, capsys):
    shutil.copytree(capture, tmp_path / "x[red]y")
    folder = tmp_path / "x[red]y"
    for index, photo in enumerate(sorted((folder / "images").iterdir())):
        photo.rename(photo.with_name(f"[red]{index}.png"))
    edit(folder, lambda m: [f.update(file_path=f"images/[red]{i}.png") for i, f in enumerate(m["frames"])])
    edit(folder, lambda m: [m.pop(key, None) for key in ("train_filenames", "val_filenames", "test_filenames")])
    trained(run_config(folder, weights, tmp_path / "out", steps=1))
    assert "Context: [red]" in capsys.readouterr().out


def test_a_disk_that_is_full_is_one_line_and_leaves_the_older_checkpoint(capture, weights, tmp_path, monkeypatch):
    config = run_config(capture, weights, tmp_path, steps=4, steps_per_save=2)
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    write = torch.save

    def full(state: Any, path: Path) -> None:
        if "000000003" in path.name:
            with path.open("wb") as file:
                file.write(b"half")
            raise OSError(28, "No space left on device")
        write(state, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CommandEnded, match=r"cannot write .*step-000000003\.ckpt: No space left on device"):
        trainer.train()
    assert checkpoints(tmp_path) == ["step-000000002.ckpt"]
    assert not list((tmp_path / "blobs/tokengs/run").glob(".step*"))


def test_memory_that_will_not_suffice_is_said_before_the_first_step(capture, weights, tmp_path, monkeypatch):
    config = run_config(capture, weights, tmp_path / "out", steps=100)
    with monkeypatch.context() as small:
        small.setattr("tokengs_nerfstudio.core.tuning.budget.free_memory", lambda _: 100_000)
        assert "32 tokens and 3 photos of " in refused(config)
    config.pipeline.model.tuning = copy.deepcopy(config.pipeline.model.tuning)
    config.pipeline.model.tuning.space = "tokens+gaussians"
    config.pipeline.model.tuning.gaussians.per_pixel = 1e6
    assert "GiB" in refused(config)


def test_a_run_whose_capture_or_photos_are_gone_is_one_line(capture, finished, tmp_path):
    with pytest.raises(CommandEnded, match=r"Error: no capture at .*nowhere"):
        looked_at(finished, tmp_path / "nowhere")
    shutil.copytree(capture, tmp_path / "scene")
    for photo in (tmp_path / "scene/images").iterdir():
        photo.unlink()
    pipeline = looked_at(finished, tmp_path / "scene")
    with pytest.raises(CommandEnded, match=r"Error: there is nothing to compare with: the image .*png does not exist"):
        pipeline.get_average_eval_image_metrics()


def test_a_checkpoint_that_shows_nothing_is_one_line(capture, finished):
    pipeline = looked_at(finished, capture)
    state = pipeline.state_dict()
    bad = {**state, "_model.gauss_params.means": torch.full_like(state["_model.gauss_params.means"], math.nan)}
    with pytest.raises(CommandEnded, match="holds Gaussians that are not finite"):
        pipeline.load_pipeline(bad, 0)
    without = {name: value for name, value in state.items() if "means" not in name}
    with pytest.raises(CommandEnded, match="the checkpoint holds no Gaussians of this method: means missing"):
        pipeline.load_pipeline(without, 0)
