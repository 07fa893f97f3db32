"""Pages of the site that are kept outside of ``docs/``, and the links to them."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
PAGES = {
    "benchmarks/RESULTS.md": "results.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "saetm_plugins/atoms/foundation/README.md": "foundation.md",
}


def on_files(files, config):
    """Add the pages to the site's files."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
        for target, name in PAGES.items():
            text = text.replace(f"]({target}", f"]({name}")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links to files of the repository into links to their pages, or into plain text."""

    def replace(match: re.Match) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        return f"[{words}]({PAGES[target]}{anchor})" if target in PAGES else f"{words} (`{target}`)"

    return re.sub(r"\[([^\]]+)\]\(\.\./([^)#]+)(#[^)]*)?\)", replace, markdown)
