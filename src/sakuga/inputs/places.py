"""Where results go, so that no two sources share one and a second run finds its own.

A result that lies among photos is PHOTO-STYLE.EXT; in a folder of results, FOLDER-STYLE or that of
`--out`, it has the photo's own name. If that place belongs to another source, its own suffix is
kept in the name: a.tif and a.bmp become a-novel.png and a.bmp-novel.png.
"""

from __future__ import annotations

from pathlib import Path

from sakuga.images.formats import WRITABLE, format_of
from sakuga.images.marks import Mark, read_mark
from sakuga.images.timeline import moves
from sakuga.paths import fitted, kind_of
from sakuga.video.options import VIDEO_FORMATS, has_video_suffix, is_video, may_move

# Formats that are read and not written become the nearest in what they can hold.
_REPLACED = {".avif": ".webp", ".heic": ".jpg", ".heif": ".jpg", ".hif": ".jpg", ".mpo": ".jpg"}
_WRITTEN_VIDEOS = (".mp4", ".m4v", ".mkv", ".mov", ".webm")


class Places:
    """Gives each source a place of its own.

    Args:
        style: the style's name, for the names of results.
        file_format: of the results; None: like the source.
    """

    def __init__(self, style: str, file_format: str | None) -> None:
        self._style = style
        self._file_format = file_format
        self._given: dict[Path, tuple[str, str]] = {}  # place -> source and its name

    def beside(self, source: str, name: str, folder: Path) -> Path:
        """PHOTO-STYLE.EXT in a folder, for the source NAME."""
        return self._give(source, name, folder, f"-{self._style}", is_named=True)

    def within(self, source: str, name: str, folder: Path, *, is_named: bool = False) -> Path:
        """The source's own name in a folder of results, with the result's suffix.

        Args:
            is_named: the source was named itself and not found in a folder, where a format is for
                what it suits: one of pictures for the pictures, one of videos for what moves.
        """
        return self._give(source, name, folder, "", is_named=is_named)

    def _give(self, source: str, name: str, folder: Path, ending: str, *, is_named: bool) -> Path:
        path = Path(name)
        suffix = self._suffix(source, path, is_named)
        tail = ending + suffix
        nice = name if tail == path.suffix else fitted(path.stem, tail)
        for place in (folder / nice, folder / fitted(name, tail)):
            holder, held = self._given.get(place.absolute(), (source, None))
            if holder != source and held != name:
                continue
            mark = mark_at(place) if held is None else None
            if mark is None or mark.source == name:
                break
        else:
            place = folder / nice
        self._given.setdefault(place.absolute(), (source, name))
        return place

    def _suffix(self, source: str, path: Path, is_named: bool) -> str:
        suffix, wanted = path.suffix, self._file_format
        if wanted in VIDEO_FORMATS:
            if is_video(source) or (may_move(source) and (is_named or moves(Path(source)))):
                return suffix if suffix.lower() == f".{wanted}" else f".{wanted}"
        elif wanted is not None and (is_named or not is_video(source)):
            return suffix if format_of(path) == wanted else WRITABLE[wanted][1]
        if is_video(source):
            return suffix if suffix.lower() in _WRITTEN_VIDEOS else ".mp4"
        return suffix if format_of(path) else _REPLACED.get(suffix.lower(), ".png")


def folder_of_results(folder: Path, style: str) -> Path:
    """FOLDER-STYLE beside a folder that lies in the current one, else in the current folder."""
    here, whole = Path.cwd(), folder.resolve()
    name = fitted(whole.name or "pictures", f"-{style}")
    if whole == here or not whole.is_relative_to(here):
        return Path(name)
    if folder.name in ("", ".."):
        return whole.parent.relative_to(here) / name
    return folder.parent / name


def mark_at(path: Path) -> Mark | None:
    """What a file says of itself, if it is there and a result."""
    if kind_of(path) != "file":
        return None
    if has_video_suffix(path):
        from sakuga.video.marks import read_video_mark

        return read_video_mark(path)
    return read_mark(path)


def shown(path: Path) -> str:
    """A path for people: seen from the current folder, if it lies in that."""
    whole = path.absolute()
    here = Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)
