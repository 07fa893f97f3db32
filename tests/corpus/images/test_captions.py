import json

import pytest

from saetm_plugins.corpus.images import caption_images


class Captioner:
    """Says of a picture how bright it is."""

    def __init__(self, stop_after=None):
        self.n_seen, self.stop_after = 0, stop_after

    def __call__(self, pictures):
        if self.stop_after is not None and self.n_seen >= self.stop_after:
            raise KeyboardInterrupt
        self.n_seen += len(pictures)
        return [f"grey {picture.convert('L').getpixel((0, 0))}" for picture in pictures]


def test_captions_follow_the_pictures(folder, scenes):
    with pytest.warns(UserWarning, match=r"1 of 161 images cannot be read.*zz\.jpg"):
        captions = caption_images(folder, Captioner(), batch_size=50, verbose=False)
    assert len(captions) == 161
    assert captions[160] == ""
    assert captions[:4] == caption_images(sorted(folder.glob("*.png"))[:4], Captioner())
    assert captions[0] != captions[1]


def test_an_interrupted_call_goes_on(scenes, tmp_path):
    out = tmp_path / "captions.jsonl"
    with pytest.raises(KeyboardInterrupt):
        caption_images(scenes, Captioner(stop_after=64), out=out, verbose=False)
    with out.open("a") as stream:
        stream.write('{"image": "images[64]", "cap')  # killed while it wrote
    captioner = Captioner()
    captions = caption_images(scenes, captioner, out=out, verbose=False)
    assert captioner.n_seen == 96
    assert captions == caption_images(scenes, Captioner(), verbose=False)
    assert [json.loads(line)["caption"] for line in out.read_text().splitlines()] == captions
    silent = Captioner(stop_after=0)
    assert caption_images(scenes, silent, out=out, verbose=False) == captions


def test_labels_of_a_classifier_are_the_caption(scenes):
    labels = [{"label": "tabby cat", "score": 0.9}, {"label": "airliner", "score": 0.1}]
    captions = caption_images(scenes[:3], lambda pictures: [labels] * len(pictures), verbose=False)
    assert captions == ["tabby cat, airliner"] * 3
    captions = caption_images(scenes[:3], lambda p: [["cat", "dog"]] * len(p), verbose=False)
    assert captions == ["cat, dog"] * 3


@pytest.mark.parametrize(
    ("captioner", "error", "message"),
    [
        (3, TypeError, "captioner must be a callable"),
        (lambda pictures: ["one"], ValueError, "captioner returned 1 texts for 16 images"),
        (lambda pictures: "one", TypeError, "captioner's answer must hold texts"),
        (lambda pictures: [None] * len(pictures), TypeError, "captioner's text"),
    ],
)
def test_what_is_no_captioner(scenes, captioner, error, message):
    with pytest.raises(error, match=message):
        caption_images(scenes, captioner, verbose=False)


def test_captions_of_other_pictures_are_refused(scenes, folder, tmp_path):
    out = tmp_path / "captions.jsonl"
    caption_images(scenes[:4], Captioner(), out=out, verbose=False)
    with pytest.raises(ValueError, match="captions of other images"):
        caption_images(sorted(folder.glob("*.png")), Captioner(), out=out, verbose=False)
    out.write_text("no json\n")
    with pytest.raises(ValueError, match="line 1, is no caption"):
        caption_images(scenes[:4], Captioner(), out=out, verbose=False)
