"""Pictures from digits, tensors, folders and CIFAR-10's files: right, or refused by name."""

import hashlib
import tarfile

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from companion.diffusion import Pictures, as_images, cifar10, digits, image_folder
from companion.errors import DataError, ShapeError


@pytest.fixture(autouse=True)
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_digits():
    images, labels = digits()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (-1, 1)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.zeros(3, 8, 8), ShapeError, r"\(3, 8, 8\)"),
        (torch.zeros(0, 1, 8, 8), ShapeError, "none of them 0"),
        (torch.zeros(1, 1, 2, 2).int(), DataError, "torch.int32"),
        (torch.full((1, 1, 2, 2), 255.0), DataError, r"\[255, 255\].*127.5"),
        (torch.tensor([0.0, 1.5]).view(1, 1, 1, 2), DataError, r"lie in \[0, 1.5\].*2 \* images"),
        (torch.tensor([0, torch.nan]).view(1, 1, 1, 2), DataError, r"images\[0, 0, 0, 1\] is nan"),
        (np.zeros((1, 1, 2, 2)), DataError, "ndarray"),
    ],
)
def test_tensors_that_are_no_pictures(images, error, message):
    with pytest.raises(error, match=message):
        as_images(images)


def test_tensor_of_bytes():
    found = as_images(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16))
    torch.testing.assert_close(found.flatten(), torch.linspace(-1, 1, 256))


def test_folder(tmp_path):
    (tmp_path / "b").mkdir()
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6, 0] = 255  # the square in the centre is red
    Image.fromarray(wide).save(tmp_path / "b" / "wide.png")
    Image.new("L", (5, 9), 51).save(tmp_path / "a.webp", lossless=True)
    (tmp_path / "notes.txt").write_text("no picture")
    found = image_folder(tmp_path, 4)
    assert found.names == ("a.webp", "b/wide.png")
    assert found[torch.tensor([1, 0])].shape == (2, 3, 4, 4)
    assert (found[1][0] == 1).all()
    assert (found[1][1:] == -1).all()
    torch.testing.assert_close(found[0], torch.full((3, 4, 4), 51 / 127.5 - 1))
    assert image_folder(tmp_path, 4, gray=True)[:].shape == (2, 1, 4, 4)
    assert found.bytes.dtype == torch.uint8


def test_picture_is_turned_upright(tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    found = image_folder(tmp_path, 8, gray=True)[0][0]
    assert (found[:4] == -1).all()
    assert (found[4:] == 1).all()


def test_broken_and_missing_pictures(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        image_folder(tmp_path / "none", 4)
    with pytest.raises(DataError, match="holds no picture"):
        image_folder(tmp_path, 4)
    Image.effect_noise((64, 64), 50).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:900])
    with pytest.raises(DataError, match=r"c\.png cannot be read"):
        image_folder(tmp_path, 4)
    found = image_folder(tmp_path, 4, on_error="skip")
    assert found.names == ("b.png",)
    assert len(found.skipped) == 1
    assert "c.png" in found.skipped[0]
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match="none of 1 pictures"):
        image_folder(tmp_path, 4, on_error="skip")


def test_pictures_are_bytes():
    with pytest.raises(ShapeError, match="expected uint8"):
        Pictures(torch.zeros(2, 3, 4, 4))


@pytest.fixture
def folder(tmp_path):
    """The test file of CIFAR-10 in its layout, and an archive of it."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 256, (10_000, 3073), dtype=np.uint8)
    records[:, 0] = np.arange(10_000) % 10
    records.tofile(folder / "test_batch.bin")
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz", compresslevel=0) as archive:
        archive.add(folder, folder.name)
    return folder


def test_cifar10(folder):
    records = np.fromfile(folder / "test_batch.bin", np.uint8).reshape(-1, 3073)
    archive = folder.parent / "cifar.tar.gz"
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    for found in (
        cifar10(folder, train=False),
        cifar10(folder.parent, train=False),
        cifar10(archive, train=False, md5=md5),
        cifar10(archive, train=False, check=False),
    ):
        assert found.bytes.shape == (10_000, 3, 32, 32)
        assert found.labels is not None
        assert found.labels[:12].tolist() == [*range(10), 0, 1]
        assert found.bytes[7, 1, 2, 3] == records[7, 1 + 1024 + 2 * 32 + 3]
    with pytest.raises(DataError, match=f"MD5 sum {md5}, expected c32a1d4ab5d0"):
        cifar10(archive, train=False)
    with pytest.raises(DataError, match=r"data_batch_1\.bin cannot be read"):
        cifar10(folder)
    with pytest.raises(DataError, match=r"holds no data_batch_1\.bin"):
        cifar10(archive, check=False)
    with pytest.raises(DataError, match="does not exist"):
        cifar10(folder / "none")
    archive.write_bytes(archive.read_bytes()[:100_000])
    with pytest.raises(DataError, match="cannot be read as an archive"):
        cifar10(archive, train=False, check=False)


def test_damaged_cifar10(folder):
    file = folder / "test_batch.bin"
    content = bytearray(file.read_bytes())
    file.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"has 30729999 bytes, expected 30730000"):
        cifar10(folder, train=False)
    content[3073 * 5] = 10
    file.write_bytes(content)
    with pytest.raises(DataError, match="label 10 in record 5"):
        cifar10(folder, train=False, check=False)
    content[::3073] = bytes(10_000)
    file.write_bytes(content)
    with pytest.raises(DataError, match="no picture of class 1"):
        cifar10(folder, train=False)
    assert len(cifar10(folder, train=False, check=False)) == 10_000
