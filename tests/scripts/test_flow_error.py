"""The script that measures the flow of weights."""

import json

import flow_error
import pytest
from made.captures import write_weights
from made.meshes import small_sources

from tokengs_nerfstudio.core.errors import UserError


def test_what_is_found_stands_beside_what_needs_no_method(tmp_path, capsys):
    weights = write_weights(tmp_path / "w.safetensors", tokens=8, dynamic_tokens=8, time_channels=2)
    options = {"sources": small_sources(tmp_path), "weights": str(weights), "scenes": 2, "side": 16, "context": 3}
    flow_error.main(flow_error.Options(**options, output=tmp_path / "errors.json"))
    written = json.loads((tmp_path / "errors.json").read_text())
    assert len(written["scenes"]) == 2
    assert set(written["means"]["space"]) == {"found", "zero", "constant"}
    first, second = (scene["pixels"]["zero"] for scene in written["scenes"])
    assert written["means"]["pixels"]["zero"] == pytest.approx((first + second) / 2)
    assert "pixels" in capsys.readouterr().out


def test_weights_that_know_no_time_are_refused(tmp_path):
    weights = write_weights(tmp_path / "still.safetensors")
    with pytest.raises(UserError, match="know no time"):
        flow_error.measure(flow_error.Options(small_sources(tmp_path), str(weights)))
