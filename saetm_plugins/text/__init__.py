"""What stands between texts and the three stages: encoder, bag of words, word vectors.

Nothing here is ours but the choice of defaults: encoders are sentence-transformers', bags of words
are scikit-learn's.
"""

from saetm_plugins.text.chunking import (
    Chunker,
    check_chunk,
    fine_chunker,
    pack_chunk,
    split_long,
    unpack_chunk,
)
from saetm_plugins.text.corpus_languages import read_languages, unite
from saetm_plugins.text.counting import (
    check_bow,
    check_vectorizer,
    copy_vectorizer,
    count_known_words,
    count_words,
    default_vectorizer,
    fit_vectorizer,
    merge_vectorizers,
    recount_words,
    without_words,
)
from saetm_plugins.text.embedding import FittedPassages, ReadTexts, read_texts
from saetm_plugins.text.encoding import (
    DEFAULT_ENCODER,
    DEFAULT_WIDTH,
    WORD_BATCH,
    check_encoder,
    embeddings_match_encoder,
    encode_texts,
    encode_words,
    has_default_encoder,
    is_default_encoder,
    load_encoder,
    lookup_word_vectors,
    refuse_folder,
    token_counter,
    token_limit,
)
from saetm_plugins.text.languages import (
    WordVectorizer,
    check_language,
    check_languages,
    choose_languages,
    detect_languages,
    find_even_words,
    words_by_language,
)
from saetm_plugins.text.passages import (
    Passages,
    PassageTexts,
    check_passages,
    document_means,
    encode_passages,
)
from saetm_plugins.text.reading import (
    check_documents,
    one_column,
)

__all__ = [
    "DEFAULT_ENCODER",
    "DEFAULT_WIDTH",
    "WORD_BATCH",
    "Chunker",
    "FittedPassages",
    "PassageTexts",
    "Passages",
    "ReadTexts",
    "WordVectorizer",
    "check_bow",
    "check_chunk",
    "check_documents",
    "check_encoder",
    "check_language",
    "check_languages",
    "check_passages",
    "check_vectorizer",
    "choose_languages",
    "copy_vectorizer",
    "count_known_words",
    "count_words",
    "default_vectorizer",
    "detect_languages",
    "document_means",
    "embeddings_match_encoder",
    "encode_passages",
    "encode_texts",
    "encode_words",
    "find_even_words",
    "fine_chunker",
    "fit_vectorizer",
    "has_default_encoder",
    "is_default_encoder",
    "load_encoder",
    "lookup_word_vectors",
    "merge_vectorizers",
    "one_column",
    "pack_chunk",
    "read_languages",
    "read_texts",
    "recount_words",
    "refuse_folder",
    "split_long",
    "token_counter",
    "token_limit",
    "unite",
    "unpack_chunk",
    "without_words",
    "words_by_language",
]
