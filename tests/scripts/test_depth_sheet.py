import re

import depth_sheet
from PIL import Image


def test_photos_stand_above_their_depths_and_what_is_believed_of_them(tmp_path, capsys):
    output = tmp_path / "sheet.jpg"
    depth_sheet.main(depth_sheet.Sheet(output=output, columns=3))
    with Image.open(output) as picture:
        assert picture.size == (3 * 192, 3 * 128)
    said = re.search(r"(\d+)% of the pixels of 11 photos", capsys.readouterr().out)
    assert said is not None
    assert 50 < int(said[1]) < 80
