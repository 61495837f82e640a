"""What an OUT belongs to: one input, one style, one way of painting; written down in OUT/job.json.

OUT/job.json     the choices; a run with others is refused
OUT/style.onnx   the style itself, which the workers load
OUT/manifest/    what became of every picture
OUT/pictures/ or OUT/shards/ or OUT/parquet/    the results
"""

from __future__ import annotations

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from sakuga import files
from sakuga.batch.storage import Place
from sakuga.errors import OptionError, OutputError, of_later
from sakuga.images.formats import WRITABLE
from sakuga.painting.options import PaintOptions
from sakuga.styles import Style

Output = Literal["tree", "shards", "parquet"]
FOLDERS: dict[Output, str] = {"tree": "pictures", "shards": "shards", "parquet": "parquet"}
JOB_FILE, STYLE_FILE, MANIFEST_FOLDER = "job.json", "style.onnx", "manifest"
FORMAT = 1


@dataclass(frozen=True)
class BatchJob:
    """Everything that decides what the results are.

    Raises:
        OptionError: a value out of its range.
    """

    source: str  # the input, as an absolute path or URL
    style: str
    style_version: str
    style_sha256: str  # of the style file
    painting: PaintOptions = field(default_factory=PaintOptions)
    file_format: str | None = None  # "png", "jpg", "webp" or "gif"; None: like each source
    output: Output = "tree"

    def __post_init__(self) -> None:
        """Check what `PaintOptions` does not."""
        if self.output not in get_args(Output):
            raise OptionError(f"output {self.output!r} is not one of {', '.join(get_args(Output))}")
        if self.file_format is not None and self.file_format not in WRITABLE:
            raise OptionError(f"format {self.file_format!r} is not one of {', '.join(WRITABLE)}")

    def facts(self) -> dict[str, Any]:
        """What job.json holds."""
        facts = asdict(self)
        painting: dict[str, Any] = facts.pop("painting")
        return {**facts, **painting}


def style_digest(style: Style) -> tuple[bytes, str]:
    """The content of a style's file, and its sha256."""
    content = style.path.read_bytes()
    return content, hashlib.sha256(content).hexdigest()


def alone_in(out: Place) -> AbstractContextManager[None]:
    """Keep a second run out of OUT, as `files.alone_in` does; of an object store, nothing is kept.

    Raises:
        OutputError: another run is at work there, or OUT cannot be made.
    """
    return files.alone_in(Path(out.path)) if out.is_local else nullcontext()


def claim(out: Place, job: BatchJob, style: bytes, *, overwrite: bool) -> None:
    """Make OUT the place of a job, or check that it is so already.

    Args:
        overwrite: throw away what another job left there.

    Raises:
        OutputError: OUT holds the results of another job, or other files, or cannot be written.
    """
    if out.kind() == "file":
        raise OutputError(f"{out.name}: is a file; name a folder for the results")
    path = out.child(JOB_FILE)
    if path.kind() == "file":
        other = _read_job(path)
        difference = _difference(other, job)
        if difference is None and not overwrite:
            return
        if not overwrite:
            raise OutputError(
                f"{out.name}: {difference}; choose another folder, or throw its results away "
                "with --overwrite"
            )
        # job.json goes last: killed before that, the next run still knows what this folder is.
        for name in (FOLDERS[other.output], MANIFEST_FOLDER, STYLE_FILE, JOB_FILE):
            out.child(name).delete()
    elif foreign := [name for name in out.names() if name != STYLE_FILE]:
        raise OutputError(
            f"{out.name}: holds {foreign[0]} and no {JOB_FILE}, so it is no place of a batch; "
            "choose an empty folder"
        )
    out.child(STYLE_FILE).write(style)
    content = json.dumps({"format": FORMAT, **job.facts()}, indent=2, ensure_ascii=False)
    path.write(content.encode())


def _read_job(path: Place) -> BatchJob:
    """The job that a folder belongs to."""
    try:
        found = json.loads(path.read())
        if (made := found.pop("format")) != FORMAT:
            raise ValueError(f"of format {made} and not {FORMAT}{of_later(made, FORMAT)}")
        names = [one.name for one in fields(PaintOptions) if one.name in found]
        painting = {name: found.pop(name) for name in names}
        return BatchJob(painting=PaintOptions(**painting), **found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OutputError(f"{path.name}: is no file of this program ({error})") from error


def _difference(other: BatchJob, job: BatchJob) -> str | None:
    """In what the job of a folder differs from this one, in words, or None."""
    if (other.style, other.style_version) != (job.style, job.style_version):
        return (
            f"holds pictures of the style {other.style} {other.style_version}, "
            f"not of {job.style} {job.style_version}"
        )
    if other.style_sha256 != job.style_sha256:
        return f"holds pictures of another style file named {other.style} {other.style_version}"
    before = other.facts()
    for name, value in job.facts().items():
        if before[name] != value:
            label = {"source": "input"}.get(name, name.replace("_", " "))
            return f"was made with {label} {before[name]}, not {value}"
    return None
