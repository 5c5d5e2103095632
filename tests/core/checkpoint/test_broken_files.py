"""Weight files whose header or values are not what they should be: one line that names the file and the entry."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tokengs_nerfstudio.core.checkpoint.architecture import HEADER_KEY
from tokengs_nerfstudio.core.checkpoint.loading import load_network, save_network
from tokengs_nerfstudio.core.checkpoint.weight_file import CheckpointError


@pytest.fixture
def file(network, tmp_path) -> Path:
    save_network(network, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def with_header(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the JSON that a safetensors file begins with; what `change` returns, if anything, takes its place."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    changed = change(header)
    text = changed if isinstance(changed, str) else json.dumps(header if changed is None else changed)
    file.write_bytes(struct.pack("<Q", len(text)) + text.encode() + content[8 + length :])


def refused(file: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_network(file)
    assert str(caught.value).startswith(f"{file}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h["tokens"].__delitem__("shape"), "'tokens' has no shape"),
        (lambda h: h["tokens"].update(shape=4), "'tokens' has shape 4, no list of sizes"),
        (lambda h: h["tokens"].update(shape=None), "'tokens' has shape None"),
        (lambda h: h["tokens"].update(shape=[-1, 2]), "'tokens' has shape [-1, 2]"),
        (lambda h: h["tokens"].update(data_offsets="0 4"), "'tokens' has data_offsets '0 4', no begin and end"),
        (lambda h: h["tokens"].update(data_offsets=None), "'tokens' has data_offsets None"),
        (lambda h: h["tokens"].update(data_offsets=[0]), "'tokens' has data_offsets [0]"),
        (lambda h: h["tokens"].update(dtype=3), "'tokens' has dtype 3"),
        (lambda h: h.update(tokens=[]), "'tokens' is [], no object"),
        (lambda h: h["__metadata__"].update(format=3), "'__metadata__' is no object of texts"),
        (lambda h: [], "its header is a list"),
        (lambda h: "[" * 100_000, "its header is not readable"),
        (lambda h: h.update({f"encoder.{'9' * 5000}.x": h["tokens"]}), "does not fit the network"),
    ],
)
def test_headers_that_are_no_list_of_tensors(file, change, said):
    with_header(file, change)
    assert said in refused(file)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("heads", 0, "heads is 0"),
        ("width", None, "width is None; a whole number is needed"),
        ("z_offset", "1", "z_offset is '1'; a number is needed"),
        ("z_offset", math.nan, "z_offset is nan"),
        ("image_size", 64, "image_size is 64; several values are needed"),
        ("image_size", [0, 0], "image_size is (0, 0)"),
        ("image_size", [4096, 4096], "image_size is (4096, 4096)"),
        ("multiscale_layers", 3, "multiscale_layers is 3"),
        ("scale_cap", 0, "scale_cap is 0"),
        ("scale_value", -1.0, "scale_value is -1.0"),
        ("scale_value", 0.0, "scale_value is 0.0"),
        ("num_context", "4", "num_context is '4'"),
        ("frame", "last", "frame is 'last'; choose one of first"),
        ("anchors", "no", "anchors is 'no'; True or False is needed"),
        ("near", 200.0, "near 200.0 must be smaller than far"),
    ],
)
def test_settings_out_of_their_range_are_named(no_shape_checks, file, setting, value, said):
    def change(header: dict[str, Any]) -> None:
        stored = {**json.loads(header["__metadata__"][HEADER_KEY]), setting: value}
        header["__metadata__"][HEADER_KEY] = json.dumps(stored)

    with_header(file, change)
    message = refused(file)
    assert "its header describes no network" in message
    assert said in message


@pytest.mark.parametrize("text", ["[1, 2]", "no JSON", "3", "[" * 100_000])
def test_a_configuration_that_is_no_object_is_named(file, text):
    with_header(file, lambda header: header["__metadata__"].update({HEADER_KEY: text}))
    assert f"the JSON under '{HEADER_KEY}' in its header is broken" in refused(file)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.fill_(math.nan), "holds values that are not finite, in head.project.weight"),
        (lambda t: t[0].fill_(math.inf), "holds values that are not finite, in head.project.weight"),
        (lambda t: t.char(), "weights are of F32, F16, BF16, F64, not so head.project.weight (I8)"),
        (lambda t: t > 0, "not so head.project.weight (BOOL)"),
    ],
)
def test_values_that_are_no_weights_are_named(file, change, said):
    with safe_open(file, framework="pt") as whole:
        text = whole.metadata()
    tensors = load_file(file)
    changed = change(tensors["head.project.weight"])
    kept = tensors["head.project.weight"] if changed.shape != tensors["head.project.weight"].shape else changed
    save_file({**tensors, "head.project.weight": kept.contiguous()}, file, text)
    assert said in refused(file)


def test_scales_that_fit_no_rows_are_named(network, tmp_path):
    path = tmp_path / "bytes.safetensors"
    save_network(network, path, compact="bytes")
    with safe_open(path, framework="pt") as whole:
        text = whole.metadata()
    tensors = load_file(path)
    name = next(key for key in tensors if key.endswith(".row_scale"))
    save_file({**tensors, name: tensors[name][:-1].contiguous()}, path, text)
    assert f"{name.removesuffix('.row_scale')} has [{len(tensors[name])}] rows, but its scales are F32" in refused(path)
    save_file({key: tensor for key, tensor in tensors.items() if key != name}, path, text)
    assert f"not so {name.removesuffix('.row_scale')} (I8)" in refused(path)
    save_file({**tensors, name: tensors[name] * math.nan}, path, text)
    assert "holds values that are not finite" in refused(path)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("~no-such-user/x.safetensors", "cannot be looked for"),
        ("x" * 5000, "cannot be looked for: .*File name too long"),
        ("hf://a/b/../../etc/x.safetensors", "leads out of the repository"),
    ],
)
def test_names_that_lead_nowhere_are_one_line(source, said):
    with pytest.raises(CheckpointError, match=said) as caught:
        load_network(source)
    assert len(str(caught.value)) < 500
