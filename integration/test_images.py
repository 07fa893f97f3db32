"""Pictures with sentence-transformers' CLIP, transformers' pipelines and BERTopic, unmodified.

The models are tiny and their weights random: they show that the parts fit, not what they know.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.cli import app
from saetm_plugins.corpus.images import caption_images, count_zero_shot_words, encode_images

SIZE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
SIZE |= {"num_attention_heads": 2, "projection_dim": 24}
SQUARE = {"height": 32, "width": 32}
FITS = {"n_topics": 4, "n_atoms": 16, "k": 2}
pytestmark = pytest.mark.usefixtures("quick_atoms")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, size=(4, 16, 16, 3))
    noise = rng.integers(0, 40, size=(120, 16, 16, 3))
    return (scenes[np.arange(120) % 4] + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(pictures, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    for row, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f"{row:03d}.png")
    (path / "999.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A CLIP of two small layers, in a folder as the hub's."""
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    path = tmp_path_factory.mktemp("clip")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>"]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|endoftext|>"])}
    (path / "vocab.json").write_text(json.dumps(vocabulary))
    (path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(
        vocab=str(path / "vocab.json"), merges=str(path / "merges.txt"), model_max_length=77
    )
    end = vocabulary["<|endoftext|>"]
    words = {"vocab_size": end + 1, "bos_token_id": end - 1, "eos_token_id": end}
    torch.manual_seed(0)
    model = CLIPModel(
        CLIPConfig(
            text_config={**SIZE, **words, "pad_token_id": end},
            vision_config={**SIZE, "image_size": 32, "patch_size": 8},
            projection_dim=24,
        )
    )
    scaler = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=SQUARE)
    CLIPProcessor(image_processor=scaler, tokenizer=tokenizer).save_pretrained(path)
    model.save_pretrained(path)
    return path


def _scenes_apart(labels) -> bool:
    return len({(row % 4, label) for row, label in enumerate(labels)}) == 4


def test_clip_by_name_embeds_pictures_and_words_in_one_space(clip, pictures):
    from saetm_plugins.corpus.images import load_image_encoder

    encoder = load_image_encoder(str(clip))
    embeddings = encode_images(encoder, pictures).embeddings
    assert embeddings.shape == (120, 24)
    apart = encoder.encode([Image.fromarray(picture) for picture in pictures[:8]])
    np.testing.assert_allclose(embeddings[:8], apart, rtol=1e-4, atol=1e-4)
    counts = count_zero_shot_words(embeddings, ["cat", "dog", "truck"], encoder, n_words=2)
    assert counts.shape == (120, 3)
    assert counts.sum(axis=0).min() > 0


def test_zero_shot_words_through_the_emission_stage(clip, pictures, tmp_path):
    words = ["cat", "dog", "truck", "ship", "bird", "frog"]
    model = SAETopicModel(**FITS, encoder=str(clip)).fit(images=pictures, vocabulary=words)
    assert _scenes_apart(model.labels_)
    assert model.components_.shape == (4, 6)
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model", encoder=str(clip))
    np.testing.assert_allclose(
        loaded.transform(images=pictures[:5]), model.doc_topics_[:5], atol=1e-5
    )
    with pytest.raises(ValueError, match="a folder named in a file is not opened"):
        SAETopicModel.load(tmp_path / "model").transform(images=pictures[:5])


def test_pipelines_of_transformers_give_captions(pictures, tmp_path):
    import transformers

    path = tmp_path / "captioner"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "red", "blue", "photo"]
    tokenizer = transformers.BertTokenizer(vocab={word: row for row, word in enumerate(words)})
    torch.manual_seed(0)
    text = {"vocab_size": 9, "bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3}
    text |= {"pad_token_id": 0, "encoder_hidden_size": 32, "max_position_embeddings": 40}
    vision = {**SIZE, "image_size": 32, "patch_size": 8}
    captioner = transformers.BlipForConditionalGeneration(
        transformers.BlipConfig(text_config={**SIZE, **text}, vision_config=vision)
    )
    scaler = transformers.BlipImageProcessorPil(size=SQUARE)
    transformers.BlipProcessor(image_processor=scaler, tokenizer=tokenizer).save_pretrained(path)
    captioner.save_pretrained(path)
    captions = caption_images(pictures[:5], str(path), batch_size=2, verbose=False)
    assert len(captions) == 5
    assert all(set(caption.split()) <= {*words} and caption for caption in captions)

    names = {0: "tabby cat", 1: "airliner", 2: "truck"}
    labels = {"id2label": names, "label2id": {name: row for row, name in names.items()}}
    size = {key: value for key, value in SIZE.items() if key != "projection_dim"}
    config = transformers.ViTConfig(**size, **labels, image_size=32, patch_size=8)
    scaler = transformers.ViTImageProcessorPil(size=SQUARE)
    pipe = transformers.pipeline(
        "image-classification",
        model=transformers.ViTForImageClassification(config),
        image_processor=scaler,
    )
    captions = caption_images(pictures[:5], pipe, verbose=False)
    assert [sorted(caption.split(", ")) for caption in captions] == [sorted(names.values())] * 5
    with pytest.raises(ValueError, match="captioner must be a pipeline of"):
        caption_images(
            pictures[:2],
            transformers.pipeline(
                "image-feature-extraction",
                model=transformers.ViTModel(config),
                image_processor=scaler,
            ),
        )


def test_saebertopic_reads_folders_and_leaves_out_what_it_cannot_read(folder, clip):
    from bertopic.representation import VisualRepresentation
    from sentence_transformers import SentenceTransformer

    topic_model = SAEBERTopic(
        4, n_atoms=16, k=2, embedding_model=SentenceTransformer(str(clip)), outlier_threshold=0,
        representation_model={"Visual_Aspect": VisualRepresentation(nr_repr_images=4)},
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"999\.jpg"):
        topics, _ = topic_model.fit_transform(images=folder)
    assert topics[120] == -1
    assert _scenes_apart(topics[:120])
    table = topic_model.get_topic_info()
    assert "Visual_Aspect" in table
    assert all(isinstance(picture, Image.Image) for picture in table["Visual_Aspect"])
    with pytest.warns(UserWarning, match=r"999\.jpg"):
        assert topic_model.transform(images=folder)[0] == topics
    topic_model.reduce_topics(None, 2, images=folder)
    assert len(set(topic_model.topics_) - {-1}) == 2


def test_saebertopic_takes_arrays_and_any_encoder(pictures):
    class Pixels:
        def encode(self, pictures):
            return np.stack([np.asarray(p, dtype=np.float32).ravel() for p in pictures])

    captions = [f"{['red', 'green', 'blue', 'white'][row % 4]} scene" for row in range(120)]
    topic_model = SAEBERTopic(4, n_atoms=16, k=2, embedding_model=Pixels())
    topics, _ = topic_model.fit_transform(captions, images=pictures)
    assert _scenes_apart(topics)
    assert topic_model.get_topic(topics[2])[0][0] == "blue"
    assert topic_model.transform(images=pictures[:6])[0] == topics[:6]
    topic_model.fit(lambda batch: ["grey thing"] * len(batch), images=pictures)
    assert topic_model.get_topic(0)[0][0] in ("grey", "thing")


@pytest.mark.parametrize("captions", [None, ["red scene", "blue sky"] * 20])
def test_saebertopic_learns_from_more_pictures(pictures, captions):
    embeddings = pictures.reshape(120, -1).astype(np.float32)
    topic_model = SAEBERTopic(4, n_atoms=16, k=2)
    topic_model.partial_fit(
        captions and captions * 2, embeddings=embeddings[:80], images=pictures[:80]
    )
    first = topic_model.topics_
    topic_model.partial_fit(captions, embeddings=embeddings[80:], images=pictures[80:])
    # The same scenes with other noise; two of the four topics share one of them.
    assert np.mean(np.equal(topic_model.topics_, first[:40])) > 0.7
    assert sum(topic_model.topic_sizes_.values()) == 120


@pytest.fixture
def run():
    def run(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    return run


@pytest.mark.filterwarnings("ignore:.*cannot be read", "ignore:.*blank")
def test_the_command_from_a_folder_of_pictures_to_sheet_and_page(folder, clip, run, tmp_path):
    model, shards = tmp_path / "model", tmp_path / "shards"
    captions = tmp_path / "captions.csv"
    rows = [f"{p.name},scene {p.name[1]}" for p in sorted(folder.iterdir())]
    captions.write_text("\n".join(["image,caption", *rows]))
    run("embed", folder, "--out", shards, "--encoder", clip)
    run(
        "fit", folder, "--out", model, "--embeddings", shards, "--captions", captions,
        "--n-topics", 4,
    )  # fmt: skip
    documents = (model / "documents.csv").read_text().splitlines()
    assert len(documents) == 122
    assert documents[1].startswith("000.png,")
    assert "999.jpg" in documents[-1]
    run("image-sheet", model, folder, "--out", tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").width > 1000
    run("explore", model, folder, "--out", tmp_path / "page.html", "--embeddings", shards)
    assert "<canvas" in (tmp_path / "page.html").read_text()
    run("assign", model, folder, "--out", tmp_path / "topics.csv", "--encoder", clip)
    assert len((tmp_path / "topics.csv").read_text().splitlines()) == 122
    groups = tmp_path / "groups.csv"
    rows = [f"{p.name},{'one' if i % 4 < 2 else 'two'}" for i, p in enumerate(folder.iterdir())]
    groups.write_text("\n".join(["image,collection", *rows]))
    run(
        "compare", model, groups, "--group-column", "collection", "--a", "one",
        "--id-column", "image", "--out", tmp_path / "compared.csv",
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*cannot be read", "ignore:.*blank")
def test_the_command_with_a_vocabulary_and_without_words(folder, clip, run, tmp_path):
    (tmp_path / "words.csv").write_text("cat\ndog\ntruck\nship\n")
    run(
        "fit", folder, "--out", tmp_path / "a", "--encoder", clip, "--n-topics", 4,
        "--vocabulary", tmp_path / "words.csv",
    )  # fmt: skip
    assert SAETopicModel.load(tmp_path / "a").components_.shape == (4, 4)
    run("fit", folder, "--out", tmp_path / "b", "--encoder", clip, "--n-topics", 4)
    assert SAETopicModel.load(tmp_path / "b").components_ is None


def test_the_commands_read_collections_of_pictures(pictures, clip, run, tmp_path):
    """Folders within the folder are collections; rows are the model's by their paths."""
    for row, picture in enumerate(pictures):
        collection = tmp_path / "pictures" / ("web" if row % 4 < 2 else "archive")
        collection.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(collection / f"{row:03d}.png")
    model, shards, folder = tmp_path / "model", tmp_path / "shards", tmp_path / "pictures"
    run("embed", folder, "--out", shards, "--encoder", clip)
    run("fit", folder, "--out", model, "--embeddings", shards, "--n-topics", 4)
    run("transform", model, folder, "--embeddings", shards, "--out", tmp_path / "shares.csv")
    shares = pd.read_csv(tmp_path / "shares.csv")
    fitted = SAETopicModel.load(model)
    np.testing.assert_allclose(shares.iloc[:, 1:], fitted.doc_topics_, atol=1e-5)
    assert shares["id"][0] == "archive/002.png"
    run(
        "compare", model, folder, "--group-column", "folder", "--a", "web",
        "--out", tmp_path / "c.csv",
    )  # fmt: skip
    compared = pd.read_csv(tmp_path / "c.csv")
    assert (compared["difference"].abs() > 0.1).any()  # each scene is in one of them
    run("search", model, "--topic", 0, "--file", folder, "--new", "--embeddings", shards,
        "--out", tmp_path / "found.csv")  # fmt: skip
    found = pd.read_csv(tmp_path / "found.csv")["id"].str.extract(r"(\d+)\.png")[0].astype(int)
    assert (found % 4).nunique() == 1
    result = CliRunner().invoke(
        app, ["coverage", str(model), str(folder), "--group-column", "artist"]
    )
    assert "a folder of pictures has image and folder" in str(result.exception)


def test_the_command_says_what_is_wrong(tmp_path):
    (tmp_path / "a.md").write_text("text")
    result = CliRunner().invoke(app, ["fit", str(tmp_path), "--out", str(tmp_path / "m")])
    assert "holds neither pictures nor .txt files" in str(result.exception)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "c.csv").write_text("image,caption\nb.png,thing\n")
    command = ["fit", tmp_path, "--out", tmp_path / "m", "--captions", tmp_path / "c.csv"]
    result = CliRunner().invoke(app, [str(argument) for argument in command])
    assert "lacks 1 of 1 pictures, such as 'a.png'" in str(result.exception)
