"""Pictures as documents: read them one after another, embed them, find words for them.

Embeddings stand in the place of a text's, captions (or a vocabulary) in the place of its words;
from there on all three stages are those of texts.
"""

from saetm_plugins.corpus.images.captions import caption_images
from saetm_plugins.corpus.images.encoding import embed_images, encode_images, load_image_encoder
from saetm_plugins.corpus.images.reading import Images, open_images
from saetm_plugins.corpus.images.words import count_zero_shot_words

__all__ = [
    "Images",
    "caption_images",
    "count_zero_shot_words",
    "embed_images",
    "encode_images",
    "load_image_encoder",
    "open_images",
]
