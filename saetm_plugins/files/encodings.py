"""The encoding of a file of text: a mark at its beginning, UTF-8, or what chardet finds."""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from saetm_plugins.files.text_file import import_extra

_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_COMMON = ("utf", "cp1", "cp9", "gb1", "gbk", "gb2", "big", "euc", "koi")
_SAMPLE = 1 << 17  # bytes that an encoding is guessed from


def find_encoding(path: Path, name: str, encoding: str | None, errors: str) -> tuple[str, str]:
    """Return an encoding that decodes the file, and what to do with bytes that are not in it.

    `encoding` and `errors` are as of :func:`saetm_plugins.files.texts.open_table`.
    """
    with path.open("rb") as stream:
        head = stream.read(1024)
    mark = next((codec for mark, codec in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), "")
    if encoding and mark and codecs.lookup(encoding).name.startswith(mark.removesuffix("-sig")):
        encoding = mark  # else the mark would be read as a letter of the first column's name
    known = encoding or mark
    wrong = _first_undecodable(path, known or "utf-8")
    # UTF-16 without its mark is legal UTF-8, with a null beside each letter of ASCII.
    if wrong is None and (known or head.count(0) * 10 <= len(head)):
        return known or "utf-8", "strict"
    if known and errors == "replace":
        return known, errors
    if wrong is not None and not encoding and _is_damaged_utf8(path):
        return mark or "utf-8", "replace"
    guesses = iter(()) if encoding else _guess_encodings(path, wrong or 0)
    if wrong is None:
        guesses = takewhile(lambda guess: guess[0].startswith("utf"), guesses)
    tried = [known or "utf-8"]
    for guess, word in guesses:
        tried.append(guess)
        if _first_undecodable(path, guess) is None:
            message = f"{name} is not UTF-8 and was read as {guess}, {word!r} for example; if "
            message += "letters come out wrong, give its encoding"
            warnings.warn(message, UserWarning, stacklevel=2)
            return guess, "strict"
    if wrong is None:
        return "utf-8", "strict"
    raise ValueError(
        f"encoding of {name} not found: byte {wrong} cannot be decoded; tried "
        f"{', '.join(dict.fromkeys(tried))}"
    )


def _first_undecodable(path: Path, encoding: str) -> int | None:
    """Return the byte, or about that byte, at which decoding fails; None where it does not."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    with path.open("rb") as stream:
        while True:
            chunk = stream.read(1 << 20)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                return done + getattr(error, "start", 0)
            if not chunk:
                return None
            done += len(chunk)


def _is_damaged_utf8(path: Path) -> bool:
    """Return whether most of what is not ASCII is UTF-8, which no other encoding looks like."""
    n_wrong = n_other = 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        while chunk := stream.read(1 << 20):
            n_wrong += chunk.count("\ufffd")
            n_other += len(chunk) - len(chunk.encode("ascii", "ignore"))
    return n_other > 2 * n_wrong


def _guess_encodings(path: Path, byte: int) -> Iterator[tuple[str, str]]:
    """Yield encodings of the bytes around `byte`, likeliest first, each with a word read by it."""
    chardet = import_extra("chardet", "a file that is not UTF-8")
    with path.open("rb") as stream:
        start = max(0, byte - _SAMPLE // 2)
        stream.seek(start)
        if start:
            stream.readline()
        sample = stream.read(_SAMPLE)
    if len(sample) == _SAMPLE:  # a line is not cut within a character
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    not_ascii = b"\n".join(re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", sample))
    if b"\0" not in sample and len(not_ascii) > 200:  # lines of ASCII would hide the difference
        sample = not_ascii
    likely = []
    for found in chardet.detect_all(sample, prefer_superset=True, compat_names=False):
        text = sample.decode(found["encoding"], "replace") if found["encoding"] else ""
        # Italian "più" is "piщ" in an encoding of Russian: a word has letters of one script.
        mixed = re.findall(r"[a-z][\u0370-\u1dff]|[\u0370-\u1dff][a-z]", text, re.IGNORECASE)
        word = re.search(r"\S*[^\x00-\x7f]\S*", text)
        if text and len(mixed) <= len(re.findall(r"[\u0370-\u1dff]+", text)) / 2:
            common = found["encoding"][:3] in _COMMON
            weight = 1.18 if found["encoding"] == "cp1252" else 1 if common else 0.5
            example = word[0] if word else ""
            likely.append((found["confidence"] * weight, found["encoding"], example))
    # Of few texts chardet is about as sure of rare encodings as of common ones, hence the weights.
    for _, encoding, example in sorted(likely, reverse=True, key=lambda each: each[0]):
        yield encoding, example
