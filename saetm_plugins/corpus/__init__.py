"""Raw input to what a model learns from: texts and pictures, their embeddings and words.

Encoders are sentence-transformers' or anything with ``encode``; bags of words are scikit-learn's.
"""

from saetm_plugins.corpus.chunker import Chunker
from saetm_plugins.corpus.encoders import encode_texts, load_encoder
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.corpus.vectorizers import default_vectorizer
from saetm_plugins.corpus.words import WordVectorizer

__all__ = [
    "Chunker",
    "Passages",
    "WordVectorizer",
    "default_vectorizer",
    "encode_texts",
    "load_encoder",
]
