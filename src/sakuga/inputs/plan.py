"""What `sakuga paint` is asked to paint, and where each result goes."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sakuga.errors import InputError, OptionError, OutputError
from sakuga.images.formats import PICTURE_SUFFIXES, WRITABLE, format_of
from sakuga.images.urls import file_name, is_url
from sakuga.video.options import has_video_suffix, is_live, is_video

STREAM = "-"  # stdin as an input, stdout as an output

# Formats that are read and not written become the nearest in what they can hold.
_REPLACED = {".avif": ".webp", ".heic": ".jpg", ".heif": ".jpg", ".hif": ".jpg", ".mpo": ".jpg"}
_WRITTEN_VIDEOS = (".mp4", ".m4v", ".mkv", ".mov", ".webm")


@dataclass(frozen=True)
class Job:
    """One input and where its result goes."""

    source: str  # a path, an address, STREAM or a camera
    target: Path | None  # None: stdout

    @property
    def is_video(self) -> bool:
        """True if the source or the result is, by its name, a video or a camera."""
        return is_video(self.source) or (self.target is not None and has_video_suffix(self.target))


def plan(
    inputs: Sequence[str], style: str, *, out: Path | None = None, file_format: str | None = None
) -> list[Job]:
    """Find every picture and video that the inputs mean.

    A picture PHOTO.EXT becomes PHOTO-STYLE.EXT beside it, one from the web in the current folder; a
    folder becomes FOLDER-STYLE beside it, with the same tree and names. `out` is a file for a
    single input that is no folder, if its suffix is that of a picture or a video; else it is a
    folder. A source that is itself the result of another job in the plan is left out.

    Args:
        inputs: paths, folders, patterns with * ? [], addresses, "-", "webcam[:N]".
        style: the style's name, for the names of results.
        out: where to write; None: beside the sources; "-" means stdout.
        file_format: "png", "jpg", "webp" or "gif" for all results; None: like the source.

    Raises:
        InputError: an input that does not exist, or holds no picture.
        OutputError: a result would replace its own source.
        OptionError: two results would have one place, or streams and files are mixed.
    """
    if file_format is not None and file_format not in WRITABLE:
        raise OptionError(f"format {file_format!r} is not one of {', '.join(WRITABLE)}")
    if not inputs:
        raise InputError("nothing to paint was given; name a picture, a folder or an address")
    names = [name for given in inputs for name in _expanded(given)]
    if STREAM in names or str(out) == STREAM:
        return [_stream_job(names, out, file_format)]
    roots = [name for name in names if _is_folder(name)]
    to_file = out is not None and len(names) == 1 and not roots and _names_a_file(out)
    jobs: list[Job] = []
    for name in names:
        if name in roots:
            jobs += _tree(Path(name), style, out, file_format, alone=len(names) == 1)
        elif to_file:
            jobs.append(_job_to_file(name, out, file_format))
        else:
            jobs.append(Job(name, _beside(name, style, out, file_format)))
    makers = {job.target.absolute(): job for job in jobs if job.target is not None}
    jobs = [job for job in jobs if makers.get(Path(job.source).absolute(), job) is job]
    _check(jobs)
    return jobs


def find_pictures(inputs: Sequence[str]) -> list[Path]:
    """Find every picture file that the inputs mean.

    Args:
        inputs: paths, folders (with all below them), patterns with * ? [].

    Raises:
        InputError: an input that does not exist, a pattern or folder without pictures.
    """
    pictures: list[Path] = []
    for path in (Path(name) for given in inputs for name in _expanded(given)):
        found = [one for one in _media(path) if not is_video(one)] if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path}: this folder holds no pictures")
        pictures += found
    return pictures


def _expanded(given: str) -> list[str]:
    """A pattern as the files it matches; anything else as it is, if it exists."""
    if given == STREAM or is_url(given) or is_live(given) or Path(given).exists():
        return [given]
    if given.startswith("-"):
        raise OptionError(f"{given} is neither an option nor a file; see  sakuga paint --help")
    if glob.has_magic(given):
        matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not matches:
            raise InputError(f"{given}: nothing matches this pattern; check it")
        return matches
    raise InputError(f"{given}: there is no such file or folder; check the spelling")


def _is_folder(name: str) -> bool:
    return not is_url(name) and not is_live(name) and Path(name).is_dir()


def _names_a_file(out: Path) -> bool:
    return not out.is_dir() and (out.suffix.lower() in PICTURE_SUFFIXES or has_video_suffix(out))


def _job_to_file(name: str, out: Path | None, file_format: str | None) -> Job:
    """A job with a target of the user's; a picture's suffix and format must fit each other."""
    assert out is not None
    if not is_video(name):
        if format_of(out) is None:
            raise OptionError(
                f"{out}: the suffix {out.suffix or '(none)'} is not one Sakuga writes; "
                "use .png, .jpg, .webp or .gif"
            )
        if file_format not in (None, format_of(out)):
            raise OptionError(f"--out {out} and --format {file_format} differ; leave one out")
    return Job(name, out)


def _stream_job(names: list[str], out: Path | None, file_format: str | None) -> Job:
    """The one job with stdin or stdout in it."""
    if len(names) != 1 or _is_folder(names[0]):
        raise OptionError("'-' stands for one picture; it cannot be mixed with other inputs")
    if out is None or str(out) == STREAM:
        return Job(names[0], None)
    return _job_to_file(names[0], out, file_format)


def _beside(name: str, style: str, out: Path | None, file_format: str | None) -> Path:
    """NAME-STYLE.EXT, in `out` or else in the folder of the source."""
    if is_url(name):
        source = Path(file_name(name))
    elif is_live(name):
        source = Path(name.split(":")[0])
    else:
        source = Path(name)
    folder = source.parent if out is None else out
    return folder / f"{source.stem}-{style}{_result_suffix(name, source, file_format)}"


def _result_suffix(name: str, source: Path, file_format: str | None) -> str:
    suffix = source.suffix
    if is_video(name):
        return suffix if suffix.lower() in _WRITTEN_VIDEOS else ".mp4"
    if file_format is not None:
        return suffix if format_of(source) == file_format else WRITABLE[file_format][1]
    return suffix if format_of(source) else _REPLACED.get(suffix.lower(), ".png")


def _tree(
    folder: Path, style: str, out: Path | None, file_format: str | None, *, alone: bool
) -> Iterator[Job]:
    """The pictures and videos below a folder, each to the same place of another tree."""
    name = folder.resolve().name
    if out is None:
        whole = folder if folder.name not in ("", "..") else folder.resolve()  # "." has no name
        root = whole.parent / f"{name}-{style}"
    else:
        root = out if alone else out / name
    sources = [path for path in _media(folder) if root == folder or root not in path.parents]
    if not sources:
        raise InputError(f"{folder}: this folder holds no pictures or videos")
    taken: set[Path] = set()
    for source in sources:
        place = root / source.relative_to(folder)
        suffix = _result_suffix(str(source), source, file_format)
        target = place.with_suffix(suffix)
        if target in taken:  # a.heic and a.jpg: the second becomes a.jpg.jpg
            target = place.with_name(place.name + suffix)
        taken.add(target)
        yield Job(str(source), target)


def _media(folder: Path) -> Iterator[Path]:
    """The pictures and videos below a folder, by their names, in order; none that is hidden."""
    for path in sorted(folder.rglob("*")):
        known = path.suffix.lower() in PICTURE_SUFFIXES or is_video(path)
        if known and path.is_file() and not path.name.startswith("."):
            yield path


def _check(jobs: list[Job]) -> None:
    """Refuse a result on its own source, and two results in one place."""
    places: dict[Path, str] = {}
    for job in jobs:
        assert job.target is not None
        source = Path(job.source)
        if job.target.exists() and source.exists() and job.target.samefile(source):
            raise OutputError(
                f"{job.target}: is the picture to be painted, which is never replaced; "
                "choose another place with --out"
            )
        other = places.setdefault(job.target.absolute(), job.source)
        if other != job.source:
            raise OptionError(
                f"{job.source} and {other} would both become {job.target}; paint them one by one, "
                "or without --out"
            )
