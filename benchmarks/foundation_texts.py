"""Gather the texts that the foundation atoms are trained on, from folders that anyone can download.

    python benchmarks/foundation_texts.py DOWNLOADS --out texts.jsonl

DOWNLOADS holds one folder a source, named as in ``SOURCES``: a checkout of a repository as
``owner+name``, an unpacked Debian package (``dpkg -x``) as ``debian/NAME``, and Debian's
descriptions of packages (``apt-get -o Acquire::Languages=en update``) in ``debian/lists``. A source
that is not there is left out and named. Each text is a sentence or, one time in four, a paragraph;
texts are cleaned, deduplicated and shuffled, the same way every time. Beside them
``passages.jsonl`` is written: passages of running text, longer than paragraphs, and passages and
texts as rows of lemmas without stop words, as corpora prepared for bags of words are. Reviews of
IMDB, titles of DBLP and the corpora that benchmarks measure on are in none of the sources.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import html
import io
import json
import random
import re
import subprocess
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import simplemma
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

Reader = Callable[[Path], Iterator[str]]

SENTENCE_END = re.compile(
    r"(?<![A-Z]\.)(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\be\.g\.)(?<!\bi\.e\.)"
    r"(?<=[.!?\"”’)])(?<!,\")\s+(?=[A-Z\"“‘(0-9])"
)
TAG = re.compile(r"<[^>]+>")
SPACE = re.compile(r"\s+")
LETTERS = re.compile(r"[A-Za-z]")
LONGEST = 1_200  # characters: about the 256 tokens that the encoder reads
PARAGRAPHS = 0.25  # share of the paragraphs that stay whole
PASSAGES = 2_000  # of each kind of running text, shared out among its sources
WORDY_TEXTS = 100_000  # texts that are repeated as rows of lemmas
RUNNING = frozenset({
    "documentation", "facts on countries", "fiction and classics", "news on science and farming",
    "newswire (Reuters-21578)", "speeches of presidents", "textbooks",
})  # fmt: skip
ENGLISH = frozenset([
    "the", "of", "and", "to", "is", "was", "for", "that", "with", "on", "by", "it", "are", "you",
    "be", "from", "this", "or", "not", "i", "my", "your", "we", "they", "he", "she", "his", "her",
    "an", "at", "which", "will", "can", "has", "have", "had", "if", "when", "what", "who", "but",
    "their", "its", "were", "would", "there", "been", "all", "more", "one", "no", "so", "how",
    "about", "into", "than", "then", "out", "up", "do", "does", "use", "used", "only", "also",
])  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where texts come from, and what may be done with them."""

    folder: str
    kind: str
    licence: str
    read: Reader
    limit: int = 150_000
    quotable: bool = False
    """Whether the licence lets typical sentences be quoted with attribution."""

    @property
    def url(self) -> str:
        """Where anyone finds it."""
        if self.folder == "debian/lists":
            return "https://packages.debian.org/bookworm/"
        if self.folder.startswith("debian/"):
            return f"https://packages.debian.org/bookworm/{self.folder[7:]}"
        return f"https://github.com/{self.folder.replace('+', '/')}"


def read_file(path: Path) -> str:
    """Return a file's text; what is no UTF-8 is taken for Latin-1."""
    data = path.read_bytes()
    if path.suffix == ".gz" or path.suffix == ".dz":
        data = gzip.decompress(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def files_of(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def plain(markup: str) -> str:
    """Return the text of a piece of HTML or XML."""
    return html.unescape(TAG.sub("", markup))


def elements(pattern: str, names: str = "p|para") -> Reader:
    """Read the paragraphs of HTML, XHTML or CNXML."""
    element = re.compile(rf"<({names})(?:\s[^>]*)?>(.*?)</\1>", re.DOTALL)
    skipped = re.compile(r"<(pre|script|style|note|code|math|m:math)\b.*?</\1>", re.DOTALL)

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            text = skipped.sub(" ", read_file(path))
            for found in element.finditer(text):
                yield from pieces(plain(found[2]))

    return read


def markdown(pattern: str) -> Reader:
    """Read the paragraphs of Markdown or of plain text, code and lists of links left out."""
    fence = re.compile(r"(```|~~~).*?\1", re.DOTALL)
    link = re.compile(r"!?\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])")

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            text = link.sub(r"\1", fence.sub("\n\n", read_file(path)))
            for block in re.split(r"\n\s*\n", text):
                if not block.startswith(("    ", "\t", "#", "|", "---", "<", ".. ")):
                    yield from pieces(plain(re.sub(r"[`*_>]|^\s*[-+]\s", "", block, flags=re.M)))

    return read


def column(pattern: str, name: str | int, delimiter: str = ",") -> Reader:
    """Read a column of tables."""

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            rows = csv.reader(io.StringIO(read_file(path)), delimiter=delimiter)
            index = name if isinstance(name, int) else next(rows).index(name)
            for row in rows:
                if len(row) > index:
                    yield row[index]

    return read


def tabbed(pattern: str, index: int, header: bool = True) -> Reader:
    """Read a column of tables parted by tabs, in which quotes mean nothing."""

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            for line in read_file(path).splitlines()[int(header) :]:
                cells = line.split("\t")
                if len(cells) > index:
                    yield cells[index].strip('"').replace('""', '"').replace("\\", "")

    return read


def lines(pattern: str) -> Reader:
    """Read one text a line."""

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            yield from read_file(path).splitlines()

    return read


def values(pattern: str, *keys: str) -> Reader:
    """Read the strings that stand under some keys anywhere in JSON."""

    def walk(value: object, key: str = "") -> Iterator[str]:
        if isinstance(value, dict):
            for name, item in value.items():
                yield from walk(item, name)
        elif isinstance(value, list):
            for item in value:
                yield from walk(item, key)
        elif isinstance(value, str) and (not keys or key in keys):
            yield value

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            for text in walk(json.loads(read_file(path))):
                yield from pieces(plain(text))

    return read


def intents(folder: Path) -> Iterator[str]:
    """Read questions to assistants, which are the first of each pair."""
    for group in json.loads(read_file(folder / "data" / "data_full.json")).values():
        yield from (text for text, _ in group)


def trivia(folder: Path) -> Iterator[str]:
    for path in files_of(folder, "categories/*"):
        for block in read_file(path).split("#Q ")[1:]:
            yield block.split("\n^", 1)[0]


def newswire(folder: Path) -> Iterator[str]:
    """Read titles and paragraphs of Reuters-21578."""
    for path in files_of(folder, "data/reut2-*.sgm"):
        text = read_file(path)
        for title in re.findall(r"<TITLE>(.*?)</TITLE>", text, re.DOTALL):
            yield html.unescape(title).capitalize()
        for body in re.findall(r"<BODY>(.*?)</BODY>", text, re.DOTALL):
            for paragraph in re.split(r"\n {4}", html.unescape(body)):
                yield from pieces(re.sub(r"\bReuter\b\s*&#3;|\x03|Reuter\s*$", "", paragraph))


def command_notes(folder: Path) -> Iterator[str]:
    for path in files_of(folder, "pages*/*/*.md"):
        if path.parts[-3] in ("pages", "pages.en"):
            for line in read_file(path).splitlines():
                if line.startswith(("- ", "> ")) and "More information" not in line:
                    yield re.sub(r"[`\[\]]", "", line[2:]).rstrip(":")


def glosses(folder: Path) -> Iterator[str]:
    """Read WordNet's definitions and examples."""
    for path in files_of(folder, "usr/share/wordnet/data.*"):
        for line in read_file(path).splitlines():
            if " | " in line and not line.startswith("  "):
                word = line.split(" ")[4].replace("_", " ")
                definition, *examples = line.split(" | ", 1)[1].split('; "')
                yield f"{word}: {definition}"
                yield from (example.strip(' "') for example in examples)


def dictionary(pattern: str) -> Reader:
    """Read a dictd dictionary's paragraphs."""

    def read(folder: Path) -> Iterator[str]:
        for path in files_of(folder, pattern):
            for block in re.split(r"\n\s*\n", read_file(path)):
                cleaned = re.sub(r"\\[^\\]*\\|\[[^\]]*\]|[{}]|^\s*\d+\.|\(\w\)", " ", block)
                yield from pieces(cleaned)

    return read


def sayings(folder: Path) -> Iterator[str]:
    left_out = ("ascii-art", "translate-me", "pratchett", "startrek", "songs-poems", "zippy")
    for path in files_of(folder, "usr/share/games/fortunes/*.u8"):
        if path.stem not in left_out:
            yield from read_file(path.resolve() if path.exists() else path).split("\n%\n")


def descriptions(folder: Path) -> Iterator[str]:
    """Read what Debian says of each package: a title, then paragraphs."""
    for path in files_of(folder, "*Translation-en*"):
        if path.suffix == ".lz4":
            text = subprocess.run(["lz4cat", str(path)], capture_output=True, check=True).stdout
            content = text.decode("utf-8")
        else:
            content = read_file(path)
        for entry in content.split("\n\n"):
            _, _, description = entry.partition("Description-en: ")
            title, _, body = description.partition("\n")
            yield title
            for paragraph in re.split(r"\n \.\n", body):
                yield from pieces(paragraph)


def manual_pages(folder: Path) -> Iterator[str]:
    for path in files_of(folder, "usr/share/man/man*/*.gz"):
        text = re.sub(r"\\f[BIRP]|\\f\(..|\\&|\\m", "", read_file(path)).replace("\\-", "-")
        text = re.sub(r"^\.(?:BR?|IR?|RB|RI|BI|IB|SM)\s+(.*)$", r"\1", text, flags=re.M)
        for block in re.split(r"^[.'].*$", text, flags=re.M):
            if "\\" not in block:
                yield from pieces(block)


def zipped(names: str, pattern: str) -> Reader:
    """Read paragraphs of plain text in archives of NLTK's data."""

    def read(folder: Path) -> Iterator[str]:
        for name in names.split():
            with zipfile.ZipFile(folder / "packages" / "corpora" / f"{name}.zip") as archive:
                for member in sorted(archive.namelist()):
                    if re.search(pattern, member):
                        text = archive.read(member).decode("utf-8", errors="replace")
                        for block in re.split(r"\n\s*\n|\n(?=##|\[t\])", text):
                            yield from pieces(re.sub(r"^.*?##|\[[a-z]\]|</?\w+>", "", block))

    return read


BY, BY_SA = "CC BY 4.0", "CC BY-SA 4.0"
OPENSTAX = [
    "us-history",
    "psychology",
    "world-history",
    "principles-economics-bundle",
    "astronomy",
    "introduction-sociology",
    "introduction-philosophy",
    "introduction-political-science",
    "american-government",
    "business-law",
    "anatomy-physiology",
    "introduction-anthropology",
    "chemistry-bundle",
    "microbiology",
    "introduction-business",
    "business-ethics",
    "entrepreneurship",
    "life-liberty-and-pursuit-happiness",
    "college-success-bundle",
    "introduction-intellectual-property",
    "principles-marketing",
    "principles-finance",
]
BOOKS = [
    "jane-austen_pride-and-prejudice",
    "herman-melville_moby-dick",
    "mary-shelley_frankenstein",
    "charles-dickens_great-expectations",
    "arthur-conan-doyle_the-adventures-of-sherlock-holmes",
    "bram-stoker_dracula",
    "mark-twain_the-adventures-of-tom-sawyer",
    "robert-louis-stevenson_treasure-island",
    "h-g-wells_the-war-of-the-worlds",
    "george-eliot_middlemarch",
    "oscar-wilde_the-picture-of-dorian-gray",
    "henry-david-thoreau_walden",
    "fyodor-dostoevsky_crime-and-punishment_constance-garnett",
    "leo-tolstoy_war-and-peace_louise-maude_aylmer-maude",
    "alexandre-dumas_the-count-of-monte-cristo_chapman-and-hall",
    "jules-verne_twenty-thousand-leagues-under-the-seas_f-p-walter",
    "jack-london_the-call-of-the-wild",
    "edgar-rice-burroughs_a-princess-of-mars",
    "agatha-christie_the-mysterious-affair-at-styles",
    "f-scott-fitzgerald_the-great-gatsby",
    "philip-k-dick_short-fiction",
    "samuel-pepys_the-diary",
    "anton-chekhov_short-fiction_constance-garnett",
    "adam-smith_the-wealth-of-nations",
    "charles-darwin_the-origin-of-species",
    "charles-darwin_the-voyage-of-the-beagle",
    "h-p-lovecraft_short-fiction",
    "edgar-allan-poe_short-fiction",
    "h-beam-piper_short-fiction",
    "sinclair-lewis_babbitt",
    "upton-sinclair_the-jungle",
    "l-m-montgomery_anne-of-green-gables",
]
NLTK = "nltk+nltk_data"
TM = "google-research-datasets+Taskmaster"
STYLE = "lijuncen+Sentiment-and-Style-Transfer"
SOURCES = [
    *(
        Source(f"openstax+osbooks-{name}", "textbooks", BY, elements("modules/*/*.cnxml"),
               limit=20_000, quotable=True)
        for name in OPENSTAX
    ),
    *(
        Source(f"standardebooks+{name}", "fiction and classics", "CC0",
               elements("src/epub/text/*.xhtml"), limit=8_000, quotable=True)
        for name in BOOKS
    ),
    Source("jwolle1+jeopardy_clue_dataset", "quiz clues", "none stated",
           tabbed("seasons/*.tsv", 5), limit=300_000),
    Source("uberspot+OpenTriviaQA", "questions", BY_SA, trivia, quotable=True),
    Source("google-research-datasets+query-wellformedness", "questions", BY_SA,
           tabbed("*.tsv", 0, header=False), quotable=True),
    Source("clinc+oos-eval", "questions to assistants", "CC BY 3.0", intents, quotable=True),
    Source("PolyAI-LDN+task-specific-datasets", "questions to banks and restaurants", BY,
           column("banking_data/*.csv", "text"), quotable=True),
    Source("google-research-datasets+dstc8-schema-guided-dialogue", "dialogues", BY_SA,
           values("*/dialogues_*.json", "utterance"), limit=150_000, quotable=True),
    Source(TM, "dialogues", BY, values("TM-*/**/*.json", "text"), limit=100_000, quotable=True),
    Source("alexa+Topical-Chat", "chat on news, sports, films and science", "CDLA-Sharing 1.0",
           values("conversations/*.json", "message"), quotable=True),
    Source("cardiffnlp+tweeteval", "tweets", "Twitter's terms, research",
           lines("datasets/*/*_text.txt"), limit=160_000),
    Source("t-davidson+hate-speech-and-offensive-language", "tweets", "MIT",
           column("data/labeled_data.csv", "tweet")),
    Source(STYLE, "reviews of products and places", "CC BY-SA 4.0, as its README states",
           lines("data/[ay]*/sentiment.*"), limit=200_000),
    Source("siat-nlp+MAMS-for-ABSA", "reviews of restaurants", "Apache 2.0",
           elements("data/MAMS-*/raw/*.xml", "text"), quotable=True),
    Source(f"{NLTK}#reviews", "reviews of products", "CC BY 4.0, Hu and Liu",
           zipped("product_reviews_1 product_reviews_2 pros_cons comparative_sentences",
                  r"\.txt$")),
    Source(f"{NLTK}#speeches", "speeches of presidents", "public domain",
           zipped("state_union inaugural", r"\d{4}.*\.txt$"), quotable=True),
    Source(f"{NLTK}#news", "news on science and farming", "none stated", zipped("abc", r"\.txt$")),
    Source(f"{NLTK}#web", "forum, overheard, wine", "research", zipped("webtext", r"\.txt$")),
    Source("MateuszMal+ksr", "newswire (Reuters-21578)", "free for research", newswire,
           limit=200_000),
    Source("taivop+joke-dataset", "jokes", "research", values("*.json", "body")),
    Source("factbook+factbook.json", "facts on countries", "public domain (CC0)",
           values("*/*.json", "text"), limit=60_000, quotable=True),
    Source("tldr-pages+tldr", "notes on commands", BY, command_notes, quotable=True),
    Source("golang+website", "documentation", "CC BY 4.0 / BSD", elements("**/*.html", "p|li")),
    Source("cncf+landscape", "descriptions of projects", "Apache 2.0",
           lines("landscape.yml")),
    Source("debian/lists", "descriptions of software", "each package's own, free", descriptions,
           limit=220_000),
    Source("debian/wordnet-base", "definitions and examples", "WordNet 3.0", glosses,
           limit=200_000, quotable=True),
    Source("debian/dict-gcide", "definitions", "GPL-3+", dictionary("usr/share/dictd/*.dz"),
           limit=150_000),
    Source("debian/dict-foldoc", "definitions of computing", "GFDL",
           dictionary("usr/share/dictd/*.dz"), limit=30_000),
    Source("debian/fortunes", "sayings", "public domain / BSD", sayings),
    *(
        Source(f"debian/{name}", "documentation", licence,
               elements("usr/share/**/*.html", "p|dd|li"), limit=limit)
        for name, licence, limit in (
            ("debian-handbook", "CC BY-SA 3.0 / GPL-2+", 15_000),
            ("gimp-help-en", "GFDL", 15_000), ("gnucash-docs", "GFDL", 15_000),
            ("postgresql-doc-15", "PostgreSQL", 30_000), ("apache2-doc", "Apache 2.0", 15_000),
            ("git-doc", "GPL-2", 20_000), ("linux-doc-6.1", "GPL-2", 40_000),
            ("debian-policy", "GPL-2+", 6_000), ("r-doc-html", "GPL-2", 10_000),
            ("python3.11-doc", "PSF", 40_000),
        )
    ),
    Source("debian/gnome-user-docs", "documentation", "CC BY-SA 3.0",
           elements("usr/share/help/C/**/*.page"), limit=15_000),
    *(
        Source(f"debian/{name}", "documentation", "GPL and others", manual_pages, limit=40_000)
        for name in ("manpages", "manpages-dev")
    ),
]  # fmt: skip


def pieces(paragraph: str) -> Iterator[str]:
    """Yield a paragraph whole, one time in four, else its sentences."""
    paragraph = SPACE.sub(" ", paragraph).strip()
    # chosen by the text itself, so that no other source's change moves it
    whole = (sum(paragraph.encode()) % 100) / 100 < PARAGRAPHS
    if whole and len(paragraph) <= LONGEST:
        yield paragraph
    else:
        yield from SENTENCE_END.split(paragraph)


def clean(text: str) -> str | None:
    """Return a text fit for reading, or None for what is no prose."""
    text = SPACE.sub(" ", text).strip()
    if not 15 <= len(text) <= LONGEST or text.count(" ") < 2:
        return None
    words = re.findall(r"[a-z]+", text.lower())
    if len(words) >= 8 and ENGLISH.isdisjoint(words):
        return None
    letters = len(LETTERS.findall(text))
    if letters + text.count(" ") < 0.8 * len(text) or letters < 0.6 * len(text) or "imdb" in words:
        return None
    return text


def gather(downloads: Path) -> tuple[list[dict[str, str]], list[dict[str, object]]]:
    """Return the texts of all sources, shuffled, and a table of what came from where."""
    texts, table, seen = [], [], set()
    for source in SOURCES:
        folder = downloads / source.folder.split("#")[0]
        if not folder.exists():
            print(f"not there, left out: {source.folder} ({source.url})", flush=True)
            continue
        found = []
        for raw in source.read(folder):
            text = clean(raw)
            if text is None:
                continue
            key = re.sub(r"\W+|\d+", " ", text.lower())
            if key not in seen:
                seen.add(key)
                found.append(text)
        random.Random(source.folder).shuffle(found)
        found = found[: source.limit]
        texts += [{"text": text, "source": source.folder} for text in found]
        facts = {"source": source.url, "what": source.kind, "licence": source.licence}
        table.append({**facts, "folder": source.folder, "quotable": source.quotable,
                      "texts": len(found)})  # fmt: skip
        print(f"{len(found):8d}  {source.folder}", flush=True)
    random.Random(0).shuffle(texts)
    return texts, table


def passages(source: Source, folder: Path, limit: int) -> list[str]:
    """Return some passages of a source's running text, each of 300 to 1,200 characters."""
    rng, found, part = random.Random(source.folder), [], ""
    length = rng.randint(300, LONGEST)
    for piece in filter(None, map(clean, source.read(folder))):
        part = f"{part} {piece}".strip()
        if len(part) >= length:
            found.append(part[:LONGEST])
            part, length = "", rng.randint(300, LONGEST)
    rng.shuffle(found)
    return found[:limit]


def lemmas(text: str) -> str:
    """Return a text's lemmas, without stop words, numbers and punctuation."""
    words = re.findall(r"[a-z]{3,}", text.lower())
    stems = (simplemma.lemmatize(word, lang="en").lower() for word in words)
    return " ".join(word for word in stems if word not in ENGLISH_STOP_WORDS)


def gather_passages(downloads: Path, texts: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return passages of running text, and these and some texts as rows of lemmas, shuffled."""
    kinds = Counter(source.kind for source in SOURCES)
    gathered = []
    for source in SOURCES:
        folder = downloads / source.folder.split("#")[0]
        if source.kind in RUNNING and folder.exists():
            found = passages(source, folder, PASSAGES // kinds[source.kind])
            gathered += [{"text": text, "source": source.folder} for text in found]
    rows = [row | {"text": lemmas(row["text"])} for row in [*gathered, *texts[:WORDY_TEXTS]]]
    gathered = [row for row in [*gathered, *rows] if row["text"].count(" ") >= 2]
    random.Random(1).shuffle(gathered)
    return gathered


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    with file.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("downloads", type=Path, help="folder with one folder a source")
    parser.add_argument("--out", type=Path, required=True, help="texts.jsonl: text, source")
    given = parser.parse_args()
    texts, table = gather(given.downloads)
    write_rows(given.out, texts)
    write_rows(given.out.with_name("passages.jsonl"), gather_passages(given.downloads, texts))
    given.out.with_suffix(".sources.json").write_text(json.dumps(table, indent=1))
    kinds: Counter[str] = Counter()
    for row in table:
        kinds[str(row["what"])] += int(row["texts"])  # type: ignore[call-overload]
    print(dict(kinds.most_common()), f"{len(texts):,} texts")


if __name__ == "__main__":
    main()
