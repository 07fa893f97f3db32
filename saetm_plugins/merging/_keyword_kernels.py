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
def document_keywords(start, stop, indptr, indices, embeddings, word_vectors, out, words, counts):
    """Keep the words most similar to documents `start` to `stop`.

    Writes up to ``out.shape[1]`` positive similarities and their words a document, and how many.
    """
    width = embeddings.shape[1]
    longest = 0
    for doc in range(start, stop):
        longest = max(longest, indptr[doc + 1] - indptr[doc])
    values = np.empty(longest, dtype=np.float32)
    chosen = np.empty(longest, dtype=np.int32)
    for doc in range(start, stop):
        embedding = embeddings[doc]
        n_values = 0
        for entry in range(indptr[doc], indptr[doc + 1]):
            vector = word_vectors[indices[entry]]
            similarity = np.float32(0)
            for axis in range(width):
                similarity += embedding[axis] * vector[axis]
            if similarity > 0:
                values[n_values] = similarity
                chosen[n_values] = indices[entry]
                n_values += 1
        n_keep = min(n_values, out.shape[1])
        keep_largest(values, chosen, n_values, n_keep)
        counts[doc] = n_keep
        out[doc, :n_keep] = values[:n_keep]
        words[doc, :n_keep] = chosen[:n_keep]


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
        out[atom, :n_keep] = values[:n_keep]
        words[atom, :n_keep] = chosen[:n_keep]


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
