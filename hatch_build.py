"""README.md as a package index shows it: no repository lies beside it, so links must be whole."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINKS = re.compile(r'(!?)(\[[^]]*\]\(|src="|href=")(?!https?:|#)([^)"\s]+)')


def whole_links(text: str, source: str, tag: str) -> str:
    """Make links and pictures inside the repository lead to it.

    Args:
        text: Markdown, HTML in it included.
        source: the repository's address.
        tag: what to look at there, such as a version's tag.
    """

    def whole(found: re.Match[str]) -> str:
        picture, opening, target = found.groups()
        kind = "raw" if picture or opening.startswith("src") else "blob"
        return f"{picture}{opening}{source}/{kind}/{tag}/{target}"

    return _LINKS.sub(whole, text)


class WholeLinks(MetadataHookInterface):
    """Sets the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = whole_links(text, metadata["urls"]["Source"], f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
