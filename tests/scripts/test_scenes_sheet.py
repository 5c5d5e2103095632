import scenes_sheet
from made.meshes import small_sources
from PIL import Image


def test_scenes_stand_side_by_side(tmp_path, capsys) -> None:
    output = tmp_path / "sheet.jpg"
    sheet = scenes_sheet.Sheet(small_sources(tmp_path), output, scenes=3, columns=2, views=2, side=16)
    scenes_sheet.main(sheet)
    with Image.open(output) as image:
        assert image.format == "JPEG"
        assert image.size == (2 * (2 * 18 + 8), 2 * (16 + 8))
    assert "3 scenes" in capsys.readouterr().out
