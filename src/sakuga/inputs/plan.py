"""What `sakuga paint` is asked to paint, and where each result goes."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sakuga.errors import InputError, OptionError, OutputError
from sakuga.images.formats import PICTURE_SUFFIXES, WRITABLE, need_format
from sakuga.images.urls import file_name, is_url
from sakuga.inputs.places import Places, folder_of_results, mark_at
from sakuga.paths import files_below, is_same_file, kind_of
from sakuga.video.options import VIDEO_FORMATS, has_video_suffix, is_live, is_video, may_move

STREAM = "-"  # stdin as an input, stdout as an output


@dataclass(frozen=True)
class Job:
    """One input and where its result goes."""

    source: str  # a path, an address, STREAM or a camera
    target: Path | None  # None: stdout
    named: bool = False  # it is the only input and was named itself: painted also if it is a result
    to_file: bool = False  # the target is what the user called it
    moving: bool = False  # a stream that is to be a video, which its name cannot say

    @property
    def is_video(self) -> bool:
        """True if the source or the result is, by its name, a video or a camera."""
        to_video = self.target is not None and has_video_suffix(self.target)
        return self.moving or is_video(self.source) or to_video


@dataclass
class Plan:
    """All jobs of a command."""

    jobs: list[Job] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)  # of results; none if those lie among photos
    errors: list[InputError] = field(default_factory=list)  # of folders that cannot be read


def plan(
    inputs: Sequence[str],
    style: str,
    *,
    out: Path | None = None,
    file_format: str | None = None,
    wanted: Callable[[Path], bool] | None = None,
) -> Plan:
    """Find every picture and video that the inputs mean.

    A picture PHOTO.EXT becomes PHOTO-STYLE.EXT beside it, one from the web in the current folder; a
    folder becomes FOLDER-STYLE with the same tree and names, beside it if it lies in the current
    folder, else there. `out` is a file for a single input that is no folder, if its suffix is that
    of a picture or a video; else it is a folder, in which pictures keep their names. A source that
    is itself the result of another job in the plan is left out.

    Args:
        inputs: paths, folders, patterns with * ? [], addresses, "-", "webcam[:N]".
        style: the style's name, for the names of results.
        out: where to write; None: beside the sources; "-" means stdout.
        file_format: "png", "jpg", "webp", "gif", "mp4", "mov", "mkv" or "webm" for all results;
            None: like the source. In a folder it is for what it suits: a picture format for the
            pictures, a video format for the videos and animations.
        wanted: which files of folders to take, and those may be none; None: all.

    Raises:
        InputError: an input that does not exist, or holds no picture.
        OutputError: a result would replace its own source.
        OptionError: two results would have one place, streams and files are mixed, or a still
            picture would become a video.
    """
    formats = (*WRITABLE, *VIDEO_FORMATS)
    if file_format is not None and file_format not in formats:
        raise OptionError(f"format {file_format!r} is not one of {', '.join(formats)}")
    if not inputs:
        raise InputError("nothing to paint was given; name a picture, a folder or an address")
    names = [name for at, given in enumerate(inputs) for name in _expanded(given, at > 0)]
    if STREAM in names or str(out) == STREAM:
        return Plan([_stream_job(names, out, file_format)])
    made = Plan()
    roots = [name for name in names if _is_folder(name)]
    if out is not None and names_a_file(out):
        if len(names) > 1 or roots:
            found = f"{roots[0]} is a folder" if roots else f"there are {len(names)} to paint"
            raise OptionError(f"--out {out} names one file, and {found}; name a folder with --out")
        made.jobs.append(_job_to_file(names[0], out, file_format))
    else:
        places = Places(style, file_format)
        for name in names:
            if name in roots:
                several = out is not None and len(names) > 1
                _add_tree(made, Path(name), style, out, places, wanted, several=several)
            else:
                _check_suits(name, file_format)
                named = list(inputs) == names and len(names) == 1
                made.jobs.append(Job(name, _place(name, out, places), named))
        if out is not None and (roots or len(names) > 1):
            made.folders = [out]
    makers = {job.target.absolute(): job for job in made.jobs if job.target is not None}
    made.jobs = [
        job
        for job in dict.fromkeys(made.jobs)
        if makers.get(Path(job.source).absolute(), job) == job
    ]
    _check(made.jobs)
    return made


def find_pictures(inputs: Sequence[str]) -> tuple[list[str], list[InputError]]:
    """Find every picture that the inputs mean.

    Args:
        inputs: paths, folders (with all below them), patterns with * ? [], addresses. Of the files
            in a folder or of a pattern, those that Sakuga painted are left out.

    Returns:
        Paths and addresses, and what is wrong with folders that cannot be read.

    Raises:
        InputError: an input that does not exist, a pattern or folder without pictures.
    """
    pictures: list[str] = []
    unread: list[InputError] = []
    for given in inputs:
        if is_url(given):
            pictures.append(given)
            continue
        names = _expanded(given)
        found = [Path(name) for name in names]
        for folder in [path for path in found if kind_of(path) == "folder"]:
            media, errors = files_below(folder, _is_picture_name)
            unread += errors
            place = found.index(folder)
            found[place : place + 1] = media
        if names != [given] or found != [Path(given)]:
            found = [path for path in found if mark_at(path) is None]
        if not found:
            raise (unread or [InputError(f"{given}: this folder holds no pictures")])[0]
        pictures += map(str, found)
    return pictures, unread


def _expanded(given: str, is_second: bool = False) -> list[str]:
    """A pattern as the files it matches; anything else as it is, if it exists.

    Args:
        is_second: others stand before it, and it may be meant as the place of the result.
    """
    if not given:
        raise InputError("an empty name was given; name a picture, a folder or an address")
    if given == STREAM or is_url(given) or is_live(given):
        return [given]
    if (kind := kind_of(Path(given))) != "nothing":
        if kind == "file" and not Path(given).is_file():  # each is read twice, and a pipe cannot be
            raise InputError(
                f"{given}: is a pipe or a device, not a file; send it through stdin, as  "
                f"sakuga paint - < {given}"
            )
        return [given]
    if given in ("-i", "--input"):
        raise OptionError(f"inputs need no {given}; leave it out:  sakuga photo.jpg")
    if given.startswith("-"):
        raise OptionError(f"{given} is neither an option nor a file; see  sakuga paint --help")
    if glob.has_magic(given):
        matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not matches:
            raise InputError(f"{given}: nothing matches this pattern; check it")
        return matches
    if "://" in given:
        raise InputError(
            f"{given}: addresses begin with http://, https:// or rtsp://; give a file by its path"
        )
    hint = (
        f", or write there with  --out {given}" if is_second and names_a_file(Path(given)) else ""
    )
    raise InputError(f"{given}: there is no such file or folder; check the spelling{hint}")


def _is_folder(name: str) -> bool:
    return not is_url(name) and not is_live(name) and kind_of(Path(name)) == "folder"


def names_a_file(out: Path) -> bool:
    is_file_name = out.suffix.lower() in PICTURE_SUFFIXES or has_video_suffix(out)
    return is_file_name and kind_of(out) != "folder"


def is_untold(name: str) -> bool:
    """True for an address whose ending does not say whether a picture is there or a video."""
    suffix = Path(file_name(name)).suffix.lower()
    return is_url(name) and suffix not in PICTURE_SUFFIXES and not is_video(name)


def _job_to_file(name: str, out: Path | None, file_format: str | None) -> Job:
    """A job with a target of the user's; a picture's suffix and format must fit each other."""
    assert out is not None
    kind = out.suffix.lower().removeprefix(".")
    if is_video(name) or has_video_suffix(out):
        if not (is_video(name) or may_move(name) or name == STREAM or is_untold(name)):
            raise OptionError(
                f"{name}: is a still picture, which makes no video; end --out with .png, .jpg, "
                ".webp or .gif"
            )
        kind = {"m4v": "mp4", "apng": "png"}.get(kind, kind)
    else:
        kind = need_format(
            out, ".png, .jpg, .webp or .gif, or .mp4, .mov, .mkv or .webm for what moves"
        )
    if file_format not in (None, kind):
        raise OptionError(f"--out {out} and --format {file_format} differ; leave one out")
    return Job(name, out, named=True, to_file=True)


def _check_suits(name: str, file_format: str | None) -> None:
    """Raise OptionError unless that format can be made of a source of that name."""
    if is_video(name) and file_format == "jpg":
        raise OptionError(
            f"{name}: is a video, which {file_format} cannot hold; use gif, webp or png, or mp4, "
            "mov, mkv or webm"
        )
    may_be_video = is_video(name) or may_move(name) or is_untold(name)
    if file_format in VIDEO_FORMATS and not may_be_video:
        raise OptionError(
            f"{name}: is a still picture, {file_format} is for what moves; use png, jpg or webp"
        )


def _stream_job(names: list[str], out: Path | None, file_format: str | None) -> Job:
    """The one job with stdin or stdout in it."""
    if len(names) != 1 or _is_folder(names[0]):
        raise OptionError("'-' stands for one picture; it cannot be mixed with other inputs")
    if out is None or str(out) == STREAM:
        if names[0] != STREAM:
            _check_suits(names[0], file_format)
        return Job(names[0], None, named=True, moving=file_format in VIDEO_FORMATS)
    return _job_to_file(names[0], out, file_format)


def _place(source: str, out: Path | None, places: Places) -> Path:
    """The place of a single input: beside it, or in `out`."""
    if is_url(source):
        name, home = file_name(source), Path()
    elif is_live(source):
        name, home = source.partition(":")[0], Path()
    else:
        name, home = Path(source).name, Path(source).parent
    if out is None or out.resolve() == home.resolve():
        return places.beside(source, name, home)
    return places.within(source, name, out, is_named=True)


def _add_tree(
    made: Plan,
    folder: Path,
    style: str,
    out: Path | None,
    places: Places,
    wanted: Callable[[Path], bool] | None,
    *,
    several: bool,
) -> None:
    """Add the pictures and videos below a folder, each to the same place of another tree."""
    whole = folder.resolve()
    root = out or folder_of_results(folder, style)
    if several:
        root = root / whole.name
    found, errors = files_below(folder, _is_media_name)
    inside = root.resolve()
    sources = [path.relative_to(folder) for path in found]
    if inside != whole:
        sources = [path for path in sources if not (whole / path).is_relative_to(inside)]
    if wanted is not None:
        sources = [path for path in sources if wanted(folder / path)]
    elif not sources:
        raise (errors or [InputError(f"{folder}: this folder holds no pictures or videos")])[0]
    for path in sources:
        source = str(folder / path)
        made.jobs.append(Job(source, places.within(source, path.name, root / path.parent)))
    made.folders.append(root)
    made.errors += errors


def _is_picture_name(name: str) -> bool:
    return Path(name).suffix.lower() in PICTURE_SUFFIXES


def _is_media_name(name: str) -> bool:
    return _is_picture_name(name) or has_video_suffix(name)


def _check(jobs: list[Job]) -> None:
    """Refuse a result on its own source, and two results in one place."""
    places: dict[Path, str] = {}
    for job in jobs:
        assert job.target is not None
        if is_same_file(Path(job.source), job.target):
            raise OutputError(
                f"{job.target}: is the picture to be painted, which is never replaced; "
                "choose another place with --out"
            )
        other = places.setdefault(job.target.absolute(), job.source)
        if other != job.source and not _are_results(other, job.source):
            raise OptionError(
                f"{job.source} and {other} would both become {job.target}; give each another "
                "--out, or none"
            )


def _are_results(*sources: str) -> bool:
    """True if some of them are results themselves, which are not painted."""
    return any(not is_url(one) and mark_at(Path(one)) is not None for one in sources)
