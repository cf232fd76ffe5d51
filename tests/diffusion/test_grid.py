"""Grids of pictures: every pixel where it belongs, and files that are whole."""

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from companion.diffusion import image_grid, write_png
from companion.errors import DataError, ShapeError


def test_pixels_stand_where_they_belong():
    images = torch.linspace(-1, 1, 3 * 2 * 2).view(3, 1, 2, 2)
    sheet = image_grid(images, columns=2, scale=2, padding=1)
    assert sheet.shape == (11, 11, 1)
    for number, (top, left) in enumerate([(1, 1), (1, 6), (6, 1)]):
        tile = sheet[top : top + 4 : 2, left : left + 4 : 2, 0]
        expected = ((images[number, 0] + 1) * 127.5).round().numpy()
        assert np.array_equal(tile, expected)
        assert np.array_equal(sheet[top + 1 : top + 5 : 2, left + 1 : left + 5 : 2, 0], expected)
    assert (sheet[6:10, 6:10] == 128).all()
    assert (sheet[5] == 128).all()


def test_colours_and_numbers_beyond_the_range():
    image = torch.tensor([-3.0, 0.0, 5.0]).view(1, 3, 1, 1)
    assert image_grid(image, padding=0).tolist() == [[[0, 128, 255]]]


def test_columns_make_a_square():
    assert image_grid(torch.zeros(9, 1, 4, 4), padding=0).shape == (12, 12, 1)
    assert image_grid(torch.zeros(2, 1, 4, 4), columns=8, padding=0).shape == (4, 8, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_file_holds_the_grid(channels, tmp_path):
    images = torch.rand(4, channels, 3, 5) * 2 - 1
    write_png(tmp_path / "grid.png", images, columns=4, scale=3, padding=2)
    with Image.open(tmp_path / "grid.png") as picture:
        found = np.array(picture).reshape(*picture.size[::-1], channels)
    assert np.array_equal(found, image_grid(images, columns=4, scale=3, padding=2))


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "grid.png"
    write_png(path, torch.zeros(1, 1, 2, 2))
    before = path.read_bytes()

    def full(self, file, format):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DataError, match=r"grid\.png cannot be written: No space left"):
        write_png(path, torch.ones(1, 1, 2, 2))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match="cannot be written"):
        write_png(tmp_path / "none" / "grid.png", torch.ones(1, 1, 2, 2))


def test_bad_input():
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with pytest.raises(ShapeError, match=r"\(1, 2, 4, 4\); expected"):
            image_grid(torch.zeros(1, 2, 4, 4))
        with pytest.raises(ShapeError, match=r"\(4, 4\)"):
            image_grid(torch.zeros(4, 4))
        with pytest.raises(DataError, match="columns=0"):
            image_grid(torch.zeros(1, 1, 4, 4), columns=0)
        with pytest.raises(DataError, match=r"images\[0, 0, 0, 0\] is nan"):
            image_grid(torch.full((1, 1, 4, 4), float("nan")))
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
