"""Pictures of four scenes, the encoder of which sees their pixels."""

import numpy as np
import pytest
from PIL import Image

COLORS = ("red", "green", "blue", "white")


class PixelEncoder:
    """Embeds pictures by their pixels; counts what it was asked."""

    def __init__(self):
        self.calls = []

    def encode(self, pictures):
        self.calls.append(len(pictures))
        return np.stack([np.asarray(p.resize((6, 6)), dtype=np.float32).ravel() for p in pictures])


@pytest.fixture(scope="session")
def draw():
    """Return a function that draws pictures of four scenes in turn, (n, 6, 6, 3) uint8."""

    def draw(n, seed=0):
        scenes = np.random.default_rng(0).integers(0, 200, size=(4, 6, 6, 3))
        noise = np.random.default_rng(seed).integers(0, 40, size=(n, 6, 6, 3))
        return (scenes[np.arange(n) % 4] + noise).astype(np.uint8)

    return draw


@pytest.fixture(scope="session")
def scenes(draw):
    return draw(160)


@pytest.fixture(scope="session")
def captions():
    return [f"a {COLORS[row % 4]} scene" for row in range(160)]


@pytest.fixture
def encoder():
    return PixelEncoder()


@pytest.fixture(scope="session")
def folder(tmp_path_factory, scenes):
    """The pictures as files, the last of which is cut off in the middle."""
    path = tmp_path_factory.mktemp("pictures")
    (path / "more").mkdir()
    for row, scene in enumerate(scenes):
        where = path / "more" if row >= 150 else path
        Image.fromarray(scene).resize((60, 60)).save(where / f"{row:03d}.png")
    Image.fromarray(scenes[0]).resize((200, 200)).save(path / "zz.jpg", quality=95)
    whole = (path / "zz.jpg").read_bytes()
    (path / "zz.jpg").write_bytes(whole[: len(whole) // 2])
    (path / "notes.md").write_text("no picture")
    return path
