"""Do the jobs of a plan, one after the other, going on past a bad file."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sakuga.errors import OptionError, OutputError, SakugaError, one_line
from sakuga.images.formats import format_like
from sakuga.images.read import read_picture
from sakuga.images.urls import fetch, is_url
from sakuga.images.write import encode_picture, write_picture
from sakuga.inputs.plan import STREAM, Job, plan
from sakuga.painting.pictures import Look, paint_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.progress import ProgressBar
from sakuga.streams import read_stdin, tell, write_stdout
from sakuga.video.options import VideoOptions, parts_folder


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    job: Job
    status: Literal["painted", "skipped", "failed"]
    seconds: float = 0.0
    error: SakugaError | None = None  # why it failed
    notes: tuple[str, ...] = ()  # what the user should know, one sentence each


def do_jobs(
    jobs: Sequence[Job],
    stylizer: Stylizer,
    look: Look,
    *,
    file_format: str | None = None,
    overwrite: bool = False,
    video: VideoOptions | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Iterator[Outcome]:
    """Do one job after the other, giving what became of each as it is done.

    A job whose result is there is skipped, unless `overwrite`: results are written whole or not at
    all, so what is there is done. Only what a user can cause makes a job fail; a bug is raised.

    Args:
        progress: called with the number of jobs done, a fraction, and the name of the current one.
    """
    video = video or VideoOptions()
    for index, job in enumerate(jobs):

        def advance(
            share: float, note: str = "", index: int = index, source: str = job.source
        ) -> None:
            if progress is not None:
                progress(index + share, f"{source}{note}")

        advance(0.0)
        if _is_done(job, overwrite, video):
            yield Outcome(job, "skipped")
            continue
        notes: list[str] = []
        result = job
        start_s = time.perf_counter()
        try:
            if job.is_video:
                target, notes = _paint_video(job, stylizer, look, video, overwrite, advance)
                result = replace(job, target=target)
            else:
                do_job(job, stylizer, look, file_format=file_format, progress=advance)
        except SakugaError as error:
            yield Outcome(job, "failed", time.perf_counter() - start_s, error)
        else:
            yield Outcome(result, "painted", time.perf_counter() - start_s, notes=tuple(notes))


def do_job(
    job: Job,
    stylizer: Stylizer,
    look: Look,
    *,
    file_format: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Paint one picture to where it goes, replacing what is there.

    Raises:
        SakugaError: it cannot be read, painted or written.
    """
    picture = read_picture(_load(job.source), name=_name(job.source), max_side=look.max_side)
    painted = paint_picture(picture, stylizer, look, progress)
    del picture  # of 100 megapixels takes 300 MB, which encoding can use
    if job.target is not None:
        write_picture(painted, job.target, file_format)
        return
    if sys.stdout.isatty():
        raise OutputError("stdout is a terminal, which shows no pictures; use --out, or > FILE")
    file_format = file_format or format_like(painted.file_format)
    buffer = io.BytesIO()
    encode_picture(painted, buffer, file_format, name="stdout")
    write_stdout(buffer.getbuffer())


def paint_inputs(
    inputs: Sequence[str],
    stylizer: Stylizer,
    look: Look,
    *,
    out: Path | None = None,
    file_format: str | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    as_json: bool = False,
    video: VideoOptions | None = None,
) -> int:
    """Plan the inputs, do the jobs and tell what happened.

    Returns:
        The exit status: 0, or 1 if some of many jobs failed.

    Raises:
        SakugaError: the plan cannot be made, or its only job failed.
    """
    jobs = plan(inputs, stylizer.spec.name, out=out, file_format=file_format)
    to_stdout = jobs[0].target is None
    if to_stdout and as_json:
        raise OptionError("--json and a picture on stdout cannot be had together; use --out")
    outcomes = []
    with ProgressBar("Painting", total=len(jobs), quiet=quiet) as bar:
        for outcome in do_jobs(
            jobs,
            stylizer,
            look,
            file_format=file_format,
            overwrite=overwrite,
            video=video,
            progress=bar.update,
        ):
            if outcome.error is not None and len(jobs) == 1:
                raise outcome.error
            outcomes.append(outcome)
    if as_json:
        print(json.dumps({"style": stylizer.spec.name, "results": [_row(o) for o in outcomes]}))
    elif not quiet and not to_stdout:
        _tell(outcomes)
    failures = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in failures:
        tell(f"sakuga: {one_line(error)}")
    return 1 if failures else 0


def _row(outcome: Outcome) -> dict[str, str | float | list[str] | None]:
    return {
        "source": outcome.job.source,
        "target": str(outcome.job.target),
        "status": outcome.status,
        "seconds": round(outcome.seconds, 3),
        "error": None if outcome.error is None else one_line(outcome.error),
        "notes": list(outcome.notes),
    }


def _tell(outcomes: Sequence[Outcome]) -> None:
    """Say in a line or two what was done."""
    for outcome in outcomes:
        for note in outcome.notes:
            tell(f"{outcome.job.source}: {note}")
    if len(outcomes) == 1 and outcomes[0].status == "skipped":
        target = outcomes[0].job.target
        tell(f"{target} is there already; --overwrite paints it again")
        return
    if len(outcomes) == 1:
        print(outcomes[0].job.target)
        return
    counts = {
        status: sum(outcome.status == status for outcome in outcomes)
        for status in ("painted", "skipped", "failed")
    }
    seconds = sum(outcome.seconds for outcome in outcomes)
    notes = f"{counts['painted']} painted in {seconds:.1f} s"
    if counts["skipped"]:
        notes += f", {counts['skipped']} were there already"
    if counts["failed"]:
        notes += f", {counts['failed']} failed:"
    tell(notes)


def _is_done(job: Job, overwrite: bool, video: VideoOptions) -> bool:
    """True if the result is there and is not to be made again, or made further."""
    if job.target is None or overwrite or not job.target.exists():
        return False
    goes_on = video.resume and parts_folder(job.target).exists()
    return not (job.is_video and (goes_on or video.preview))


def _paint_video(
    job: Job,
    stylizer: Stylizer,
    look: Look,
    options: VideoOptions,
    overwrite: bool,
    progress: Callable[[float, str], None],
) -> tuple[Path, list[str]]:
    """Paint one video, or a sheet of moments of it.

    Returns:
        The file that was made, and what the user should know.
    """
    from sakuga.video import Progress, paint_video, preview_video

    def advance(state: Progress) -> None:
        share = state.frames / state.total_frames if state.total_frames else 0.0
        progress(min(1.0, share), f": {state}")

    if options.preview:
        sheet, seconds = preview_video(
            job.source,
            style=stylizer,
            strength=look.strength,
            keep_colour=look.keep_colour,
            max_side=look.max_side,
            stroke=look.stroke,
            overwrite=overwrite,
            options=options,
        )
        if seconds is None:
            return sheet, []
        return sheet, [f"painting the whole clip will take about {seconds:.0f} s"]
    result = paint_video(
        job.source,
        job.target,
        style=stylizer,
        strength=look.strength,
        keep_colour=look.keep_colour,
        max_side=look.max_side,
        stroke=look.stroke,
        overwrite=overwrite,
        options=options,
        on_progress=advance,
    )
    if result.interrupted:
        kept = f"{result.frames} frames are in {result.path}" if result.path else "nothing is kept"
        for note in (kept, *result.notes):
            tell(f"{job.source}: {note}")
        raise KeyboardInterrupt
    assert result.path is not None
    return result.path, result.notes


def _load(source: str) -> Path | bytes:
    """A file's path; the content of stdin or of an address."""
    if is_url(source):
        return fetch(source)
    if source != STREAM:
        return Path(source)
    return read_stdin()


def _name(source: str) -> str:
    return "stdin" if source == STREAM else source
