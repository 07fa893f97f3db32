"""What stands between texts and the three stages: encoder, bag of words, word vectors.

Nothing here is ours but the choice of defaults: encoders are sentence-transformers', bags of words
are scikit-learn's.
"""

from saetm_plugins.text.counting import (
    check_bow,
    check_vectorizer,
    count_known_words,
    count_words,
    default_vectorizer,
    fit_vectorizer,
    merge_vectorizers,
    recount_words,
)
from saetm_plugins.text.encoding import (
    DEFAULT_ENCODER,
    DEFAULT_WIDTH,
    WORD_BATCH,
    embeddings_match_encoder,
    encode_texts,
    encode_words,
    has_default_encoder,
    load_encoder,
    lookup_word_vectors,
    refuse_folder,
)
from saetm_plugins.text.reading import (
    check_documents,
    read_documents,
)

__all__ = [
    "DEFAULT_ENCODER",
    "DEFAULT_WIDTH",
    "WORD_BATCH",
    "check_bow",
    "check_documents",
    "check_vectorizer",
    "count_known_words",
    "count_words",
    "default_vectorizer",
    "embeddings_match_encoder",
    "encode_texts",
    "encode_words",
    "fit_vectorizer",
    "has_default_encoder",
    "load_encoder",
    "lookup_word_vectors",
    "merge_vectorizers",
    "read_documents",
    "recount_words",
    "refuse_folder",
]
