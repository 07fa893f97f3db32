"""Pictures as documents: read them one after another, embed them, find words for them.

Their embeddings are used like those of texts, their captions (or words of a vocabulary) like texts.
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
