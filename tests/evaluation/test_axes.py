"""Tables and plots of what a network bears."""

import json
from xml.etree import ElementTree

import pytest
from made.evaluations import ABOUT, record
from PIL import Image

from tokengs_nerfstudio.evaluation.axes import chart_of, place, without_scenes, write_axes
from tokengs_nerfstudio.evaluation.variants import ContextExtension, Extrapolation, PoseNoise, TokenCounts, Variant

PLAIN = [record("a", 20.0), record("b", 22.0)]


def test_every_axis_has_a_table_and_a_plot(tmp_path):
    noise, few = PoseNoise(1.0, 0.1), TokenCounts(4)
    by_variant = {Variant(): PLAIN, noise: [record("a", 18.0), record("b", 19.0)], few: [record("a", 15.0)]}
    tables = write_axes(tmp_path, ABOUT, by_variant)
    assert [[name for name, _ in table.rows] for table in tables] == [
        ["as given", "1 deg, 10 %"],
        ["4 tokens", "16 tokens, as trained"],
    ]
    assert [row["psnr"] for _, row in tables[0].rows] == [21.0, 18.5]
    assert [row["scenes"] for _, row in tables[1].rows] == [1, 2]
    for axis in ("pose_noise", "token_count"):
        assert {path.suffix for path in tmp_path.glob(f"{axis}.*")} == {".json", ".csv", ".txt", ".svg", ".png"}
        ElementTree.parse(tmp_path / f"{axis}.svg")
        with Image.open(tmp_path / f"{axis}.png") as picture:
            assert picture.convert("L").getextrema()[0] < 128
    assert not list(tmp_path.glob("extrapolation*"))
    rows = json.loads((tmp_path / "pose_noise.json").read_text())["rows"]
    assert [row["psnr"] for row in rows] == [21.0, 18.5]


def test_targets_are_sorted_by_how_far_outside_they_lie(tmp_path):
    views = {"psnr": [30.0, 20.0, 10.0, 12.0], "ssim": [0.1] * 4, "beyond": [0.0, 0.25, 0.26, 0.9]}
    near = {"psnr": [40.0], "ssim": [0.1], "beyond": [0.0]}
    by_variant = {Variant(): PLAIN, Extrapolation(): [record("a", 0.0, views=views), record("b", 0.0, views=near)]}
    (table,) = write_axes(tmp_path, ABOUT, by_variant)
    found = {name: (row["psnr"], row["scenes"], row["views"]) for name, row in table.rows}
    assert found == {"between": (35.0, 2, 2), "0 to 0.25 spans": (20.0, 1, 1), "0.25 to 0.5 spans": (11.0, 1, 2)}


def test_contexts_have_no_row_of_the_benchmark_as_it_is(tmp_path):
    """Its targets are others."""
    by_variant = {Variant(): PLAIN, ContextExtension(2, 4): PLAIN, ContextExtension(4, 4): []}
    (table,) = write_axes(tmp_path, ABOUT, by_variant)
    assert [name for name, _ in table.rows] == ["2 views"]


def test_what_no_scene_has_frames_enough_for_is_known(tmp_path):
    by_variant = {Variant(): PLAIN, ContextExtension(2, 24): [], Extrapolation(): [], TokenCounts(4): PLAIN}
    assert without_scenes(by_variant) == ["Number of context views", "Targets outside of the context"]
    assert len(write_axes(tmp_path, ABOUT, by_variant)) == 1


def test_rows_stand_in_order_of_their_numbers():
    named = ["1 deg, 2 %", "0.5 deg, 10 %", "as given", "1e-05 deg, 3 %", "0.5 deg, 9 %"]
    assert sorted(named, key=place) == [
        "as given", "1e-05 deg, 3 %", "0.5 deg, 9 %", "0.5 deg, 10 %", "1 deg, 2 %",
    ]  # fmt: skip


def test_a_chart_has_the_rows_as_names():
    chart = chart_of("token_count", [("few", {"psnr": 1.0}), ("many", {"psnr": 3.0})])
    assert chart.names == ["few", "many"]
    assert chart.curves == {"PSNR": [(0.0, 1.0), (1.0, 3.0)]}
    assert chart.drawing().svg().count("<circle") == 2
    with pytest.raises(KeyError):
        chart_of("nothing", [])
