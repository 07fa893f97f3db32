"""Numba kernels of the keyword association; apart, so that the package does not import numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def keep_largest(values, indices, n_values, n_keep):
    """Move the `n_keep` largest of the first `n_values` to the front (quickselect, in place)."""
    low, high = 0, n_values - 1
    while low < high:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] > pivot:
                left += 1
            while values[right] < pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                indices[left], indices[right] = indices[right], indices[left]
                left += 1
                right -= 1
        if n_keep - 1 <= right:
            high = right
        elif n_keep - 1 >= left:
            low = left
        else:
            return


@njit(cache=True, nogil=True, fastmath=True)
def word_sums(start, stop, indptr, docs, embeddings, scale, sums):
    """Sum the scaled embeddings of the documents that hold words `start` to `stop`."""
    for word in range(start, stop):
        row = sums[word]
        for entry in range(indptr[word], indptr[word + 1]):
            source = embeddings[docs[entry]]
            weight = scale[docs[entry]]
            for axis in range(len(row)):
                row[axis] += weight * source[axis]


@njit(cache=True, nogil=True, fastmath=True)
def dot(left, right):
    """Return the dot product of two float32 vectors."""
    total = np.float32(0)
    for axis in range(len(left)):
        total += left[axis] * right[axis]
    return total


@njit(cache=True, nogil=True)
def similarities(start, stop, indptr, indices, docs, words, by_corpus, by_vector):
    """Write how near each word of documents `start` to `stop` is to them, one value an entry.

    `docs` is (embeddings, unit scale, centred scale, centred shift), `words` is (sums, their dot
    with the shift, their squared length, word vectors); see :class:`DocumentKeywords`.
    """
    embeddings, unit_scale, centred_scale, centred_shift = docs
    sums, sums_at_mean, sums_squared, vectors = words
    for doc in range(start, stop):
        embedding = embeddings[doc]
        own = np.float32(1 if centred_scale[doc] > 0 else 0)
        for entry in range(indptr[doc], indptr[doc + 1]):
            word = indices[entry]
            raw = centred_scale[doc] * dot(embedding, sums[word])
            raw -= centred_shift[doc] * sums_at_mean[word]
            # The document itself is taken out of the sum, or rare words would look near; the 1
            # added to the length of what is left keeps words of few documents from doing so.
            rest = max(sums_squared[word] - 2 * own * raw + own, np.float32(0))
            by_corpus[entry] = (raw - own) / (np.sqrt(rest) + 1)
            if len(vectors):
                by_vector[entry] = unit_scale[doc] * dot(embedding, vectors[word])


@njit(cache=True, nogil=True)
def document_keywords(start, stop, indptr, indices, docs, words, known, mix, out, chosen, counts):
    """Keep the words nearest to documents `start` to `stop`.

    ``mix`` is (weight of the corpus, slope, intercept): the last two stand in for the similarity
    of words without a vector. Writes up to ``out.shape[1]`` positive similarities and their
    words a document, and how many.
    """
    corpus_weight, slope, intercept = mix
    first = indptr[start]
    by_corpus = np.empty(indptr[stop] - first, dtype=np.float32)
    by_vector = np.zeros(indptr[stop] - first, dtype=np.float32)
    similarities(start, stop, indptr - first, indices[first:], docs, words, by_corpus, by_vector)
    values = np.empty(len(by_corpus), dtype=np.float32)
    found = np.empty(len(by_corpus), dtype=np.int32)
    for doc in range(start, stop):
        n_values = 0
        for entry in range(indptr[doc] - first, indptr[doc + 1] - first):
            word = indices[first + entry]
            near = by_vector[entry] if known[word] else slope * by_corpus[entry] + intercept
            near += corpus_weight * by_corpus[entry]
            if near > 0:
                values[n_values] = near
                found[n_values] = word
                n_values += 1
        n_keep = min(n_values, out.shape[1])
        keep_largest(values, found, n_values, n_keep)
        counts[doc] = n_keep
        for place in range(n_keep):
            out[doc, place] = values[place]
            chosen[doc, place] = found[place]


@njit(cache=True, nogil=True)
def associate(
    start, stop, indptr, docs, weights, keyword_values, keyword_words, counts, word_share, out,
    words, n_kept
):  # fmt: skip
    """Score the words of atoms `start` to `stop` by PPMI × √mass and keep the largest.

    ``indptr, docs, weights`` is `doc_atoms` by atoms (CSC); ``word_share`` (V,) a word's share of
    all keyword mass. Writes up to ``out.shape[1]`` scores and words an atom, and how many.
    """
    n_words = len(word_share)
    mass = np.zeros(n_words, dtype=np.float32)
    touched = np.empty(n_words, dtype=np.int32)
    values = np.empty(n_words, dtype=np.float32)
    chosen = np.empty(n_words, dtype=np.int32)
    epsilon = np.float32(1e-3)
    for atom in range(start, stop):
        n_touched = 0
        total = np.float32(0)
        for entry in range(indptr[atom], indptr[atom + 1]):
            doc = docs[entry]
            weight = weights[entry]
            for place in range(counts[doc]):
                word = keyword_words[doc, place]
                if mass[word] == 0:
                    touched[n_touched] = word
                    n_touched += 1
                part = weight * keyword_values[doc, place]
                mass[word] += part
                total += part
        n_values = 0
        for place in range(n_touched):
            word = touched[place]
            expected = total * word_share[word]
            score = np.log((mass[word] + epsilon) / (expected + epsilon)) * np.sqrt(mass[word])
            mass[word] = 0
            if score > 0:
                values[n_values] = score
                chosen[n_values] = word
                n_values += 1
        n_keep = min(n_values, out.shape[1])
        keep_largest(values, chosen, n_values, n_keep)
        n_kept[atom] = n_keep
        for place in range(n_keep):
            out[atom, place] = values[place]
            words[atom, place] = chosen[place]


@njit(cache=True, nogil=True)
def mass_thresholds(start, stop, atom_words, top_p, thresholds):
    """Find for each atom the probability above which lies `top_p` of the mass."""
    n_words = atom_words.shape[1]
    for atom in range(start, stop):
        row = atom_words[atom]
        largest = np.float32(0)
        total = 0.0
        for word in range(n_words):
            largest = max(largest, row[word])
            total += row[word]
        low, high = 0.0, float(largest)
        for _ in range(24):  # float32 has 24 bits of mantissa
            middle = (low + high) / 2
            above = 0.0
            for word in range(n_words):
                if row[word] >= middle:
                    above += row[word]
            if above >= top_p * total:
                low = middle
            else:
                high = middle
        thresholds[atom] = low
