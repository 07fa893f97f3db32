import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageFont

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.plotting import image_sheet
from saetm_plugins.plotting.image_sheet import wrap

GREYS = (20, 90, 160, 230)


@pytest.fixture(scope="module")
def pictures():
    noise = np.random.default_rng(0).integers(-4, 5, size=(120, 8, 8, 1))
    grey = np.array(GREYS)[np.arange(120) % 4, None, None, None]
    return np.repeat(grey + noise, 3, axis=3).astype(np.uint8)


@pytest.fixture(scope="module")
def embeddings():
    axes = np.eye(4, 12, dtype=np.float32)[np.arange(120) % 4]
    return axes + np.random.default_rng(0).normal(scale=0.05, size=axes.shape).astype(np.float32)


@pytest.fixture(scope="module")
def model(pictures, embeddings):
    captions = [f"{['black', 'dark', 'light', 'white'][row % 4]} <b>" for row in range(120)]
    sae = train_sae(embeddings, 12, k=2, n_steps=500)
    return SAETopicModel(4, sae=sae).fit(captions, embeddings=embeddings, images=pictures)


def test_each_row_shows_pictures_of_its_topic(model, pictures, tmp_path):
    path = image_sheet(model, pictures, tmp_path / "sheet.png", n_images=3, size=40)
    sheet = Image.open(path)
    assert sheet.size == (300 + 3 * 46 + 12, 48 + 4 * 46 + 6)
    for topic in range(4):
        grey = GREYS[int(np.flatnonzero(model.labels_ == topic)[0]) % 4]
        for column in range(3):
            red = sheet.getpixel((300 + column * 46 + 20, 48 + topic * 46 + 20))[0]
            assert abs(red - grey) < 12


def test_a_page_says_words_size_and_share(model, pictures, tmp_path):
    named = model.set_topic_labels({0: "<script>"})
    text = image_sheet(named, pictures, tmp_path / "sheet.html", title="A & B").read_text()
    named.undo()
    assert "<title>A &amp; B</title>" in text
    assert "<script" not in text
    assert "0 · &lt;script&gt;" in text
    for topic in range(1, 4):
        assert f"{topic} · {model.get_topics(1)[topic][0]}" in text
    assert len(re.findall("30 pictures · 2[0-9].[0-9]%", text)) == 4
    shown = re.findall('base64,([^"]+)', text)
    assert len(shown) == 40
    assert Image.open(io.BytesIO(base64.b64decode(shown[0]))).size == (96, 96)


def test_atoms_and_chosen_topics(model, pictures, tmp_path):
    text = image_sheet(model, pictures, tmp_path / "atoms.html", level="atoms").read_text()
    live = int((model.atom_prevalence_ > 0).sum())
    assert text.count("<section>") == live
    text = image_sheet(model, pictures, tmp_path / "two.html", topics=[2, 0]).read_text()
    assert text.count("<section>") == 2
    assert text.index("2 · ") < text.index("0 · ")


def test_topics_without_words_are_numbered(model, pictures, embeddings, tmp_path):
    wordless = SAETopicModel(4, sae=model.sae_).fit(None, embeddings=embeddings)
    assert "Topic 3" in image_sheet(wordless, pictures, tmp_path / "page.html").read_text()


def test_labels_of_several_words_are_not_broken():
    font = ImageFont.load_default(15)
    width = int(font.getlength("3 · moving van, chain saw, fire"))
    lines = wrap("3 · moving van, chain saw, fire engine", font, width)
    assert lines == ["3 · moving van, chain saw,", "fire engine"]
    lines = wrap("3 · moving van, chain saw, fire engine", font, width // 4)  # none fits
    assert lines[0] == "3 ·"
    assert wrap("3 · a name given by hand", font, width // 3)[0] == "3 · a"


@pytest.mark.parametrize(
    ("images", "path", "arguments", "message"),
    [
        (7, "a.png", {}, "images holds 7; the model was fitted to 120"),
        (120, "a.gif", {}, "path must end in .png or .html"),
        (120, "a.png", {"level": "words"}, "level"),
        (120, "a.png", {"topics": [4]}, "topics must name some of 0 to 3"),
        (120, "a.png", {"topics": []}, "topics must name"),
        (120, "a.png", {"size": 40_000}, "too large"),
    ],
)
def test_refusals_write_nothing(model, pictures, tmp_path, images, path, arguments, message):
    with pytest.raises(ValueError, match=message):
        image_sheet(model, pictures[:images], tmp_path / path, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_is_not_overwritten_unasked(model, pictures, tmp_path):
    path = image_sheet(model, pictures, tmp_path / "a.png")
    with pytest.raises(FileExistsError):
        image_sheet(model, pictures, path)
    image_sheet(model, pictures, path, overwrite=True)
