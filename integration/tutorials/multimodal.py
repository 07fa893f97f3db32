"""Images: with captions, and alone; collages as a representation."""

import numpy as np
from bertopic.representation import VisualRepresentation
from PIL import Image


def run(make, news, folder):
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 200, size=(8, 6, 6, 3))
    noise = rng.integers(0, 40, size=(160, 6, 6, 3))
    images = [Image.fromarray((scenes[i % 8] + noise[i]).astype(np.uint8)) for i in range(160)]
    embeddings = np.stack([np.asarray(image, dtype=np.float32).ravel() for image in images])
    colours = ["red", "green", "blue", "white", "black", "brown", "pink", "grey"]
    captions = [f"scene {colours[i % 8]}" for i in range(160)]
    visual = {"Visual_Aspect": VisualRepresentation(nr_repr_images=4, image_height=30)}
    with_texts = make(representation_model=visual, sae=None)
    with_texts.fit(captions, embeddings, images=images)
    assert "Visual_Aspect" in with_texts.get_topic_info()
    if not hasattr(with_texts, "sae_model_"):
        return  # stock BERTopic needs a model that captions images without texts
    alone = make(representation_model=visual, embedding_model=None, sae=None)
    topics, _ = alone.fit_transform(None, embeddings, images=images)
    assert len({(i % 8, topic) for i, topic in enumerate(topics)}) == len(set(topics)) == 8
    collages = alone.get_topic_info().Visual_Aspect
    assert all(isinstance(collage, Image.Image) for collage in collages)
