import numpy as np
import pytest
from PIL import Image

from saetm_plugins.corpus.images import open_images
from saetm_plugins.corpus.images.reading import UnreadableImage, iterate_batches


def test_a_folder_is_read_with_all_in_it_by_name(folder):
    images = open_images(folder)
    assert len(images) == 161
    assert images.names[0] == "000.png"
    assert images.names[150:] == [f"more/{row}.png" for row in range(150, 160)] + ["zz.jpg"]
    assert images[3].mode == "RGB"
    assert images[3].size == (60, 60)


@pytest.mark.parametrize("kind", ["paths", "str", "pil", "arrays", "stack", "iterator"])
def test_every_kind_of_list_holds_the_same_pictures(folder, scenes, kind):
    files = sorted(folder.glob("*.png"))[:4]
    given = {
        "paths": files,
        "str": [str(file) for file in files],
        "pil": [Image.open(file) for file in files],
        "arrays": list(scenes[:4]),
        "stack": scenes[:4],
        "iterator": iter(list(scenes[:4])),
    }[kind]
    images = open_images(given)
    assert len(images) == 4
    for row in range(4):
        seen = np.asarray(images[row].resize((6, 6), Image.Resampling.BOX), dtype=int)
        assert np.abs(seen - scenes[row]).mean() < 20


def _saved(picture, path, **options):
    picture.save(path, **options)
    return path


def test_modes_that_are_not_rgb(tmp_path):
    red = Image.new("RGB", (20, 10), (200, 30, 30))
    deep = np.full((10, 20), 200 * 257, dtype=np.uint16)
    clear = Image.new("RGBA", (20, 10), (0, 0, 0, 0))
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "blue")]
    files = {
        "cmyk.jpg": red.convert("CMYK"),
        "grey.png": Image.new("L", (20, 10), 90),
        "bit.png": Image.new("1", (20, 10), 1),
        "alpha.png": clear,
        "deep.png": Image.fromarray(deep),
        "palette.png": red.convert("P"),
    }
    read = {
        name: open_images([_saved(picture, tmp_path / name)])[0] for name, picture in files.items()
    }
    assert {picture.mode for picture in read.values()} == {"RGB"}
    pixel = {name: picture.getpixel((5, 5)) for name, picture in read.items()}
    assert np.abs(np.subtract(pixel["cmyk.jpg"], (200, 30, 30))).max() < 20
    assert pixel["grey.png"] == (90, 90, 90)
    assert pixel["bit.png"] == pixel["alpha.png"] == (255, 255, 255)
    assert pixel["deep.png"] == (200, 200, 200)
    assert np.abs(np.subtract(pixel["palette.png"], (200, 30, 30))).max() < 40
    moving = _saved(
        frames[0], tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=50
    )
    assert open_images([moving])[0].getpixel((5, 5)) == (255, 0, 0)
    opened = Image.open(moving)
    opened.seek(1)
    assert open_images([opened])[0].getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((4, 4), 0.5), 127),
        (np.full((4, 4, 1), 77, dtype=np.uint8), 77),
        (np.full((4, 4), 128 * 257, dtype=np.uint16), 128),
        (np.ones((4, 4), dtype=bool), 255),
        (np.full((4, 4, 3), 300, dtype=np.int64), 255),
    ],
)
def test_arrays_of_other_types(pixels, expected):
    assert open_images([pixels])[0].getpixel((0, 0)) == (expected,) * 3


def test_pictures_are_upright_and_not_larger_than_asked(tmp_path):
    lying = Image.new("RGB", (3000, 1000), "green")
    exif = Image.Exif()
    exif[0x0112] = 6
    file = _saved(lying, tmp_path / "lying.jpg", exif=exif)
    assert open_images([file])[0].size == (1000, 3000)
    (batch,) = iterate_batches(open_images([file]), 8, largest_side=300)
    assert batch.pictures[0].size == (100, 300)


def test_batches_name_what_cannot_be_decoded(folder):
    batches = list(iterate_batches(open_images(folder), 50))
    assert [len(batch.rows) for batch in batches] == [50, 50, 50, 10]
    assert [batch.unreadable for batch in batches] == [[], [], [], [160]]
    with pytest.raises(UnreadableImage, match=r"zz\.jpg cannot be read: .*truncated"):
        open_images(folder)[160]


def test_pictures_are_decoded_when_their_batch_comes_and_let_go():
    class Column:
        """A column that decodes on access, as that of datasets."""

        taken = 0

        def __len__(self):
            return 1000

        def __getitem__(self, row):
            Column.taken += 1
            return np.zeros((4, 4, 3), dtype=np.uint8)

        def __iter__(self):
            raise AssertionError("all decoded at once")

    batches = iterate_batches(open_images(Column()), 10)
    next(batches)
    next(batches)
    assert Column.taken <= 40


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ([], ValueError, "images is empty"),
        (np.zeros((8, 8, 3), np.uint8), TypeError, "one array of shape"),
        (["nowhere.png"], FileNotFoundError, "no picture 'nowhere.png'"),
        ("nowhere", FileNotFoundError, "no folder 'nowhere'"),
        ([1, 2], TypeError, r"images\[0\] must be a path, a PIL image or an array; found int"),
        ([np.zeros(5)], ValueError, r"images\[0\] must be \(h, w\).*found shape \(5,\)"),
        ({"a": 1}, TypeError, "must be a folder or a list"),
        (7, TypeError, "found int"),
    ],
)
def test_what_is_no_list_of_pictures(images, error, message):
    with pytest.raises(error, match=message):
        open_images(images)


def test_a_folder_without_pictures_and_numbers_that_are_no_colors(tmp_path):
    (tmp_path / "a.md").write_text("text")
    with pytest.raises(ValueError, match=r"holds no pictures \(\.jpg"):
        open_images(tmp_path)
    with pytest.raises(ValueError, match="floats from 0 to 1; found 200"):
        open_images([np.full((4, 4), 200.0)])[0]
    with pytest.raises(UnreadableImage, match="NaN"):
        open_images([np.full((4, 4), np.nan)])[0]


@pytest.mark.parametrize("n_times_the_limit", [1.2, 3])
@pytest.mark.filterwarnings("ignore:Image size")
def test_pillows_limit_is_an_error_before_anything_is_decoded(
    tmp_path, monkeypatch, n_times_the_limit
):
    file = _saved(Image.new("1", (100, 100)), tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(10_000 / n_times_the_limit))
    for images in ([file], tmp_path):
        with pytest.raises(ValueError, match=r"bomb\.png.*MAX_IMAGE_PIXELS"):
            open_images(images)
