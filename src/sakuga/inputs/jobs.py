"""Do the jobs of a plan, one after the other, going on past a bad file."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from sakuga.console import ProgressBar, read_stdin, tell, write_stdout
from sakuga.errors import OptionError, OutputError, SakugaError
from sakuga.images.formats import format_like
from sakuga.images.marks import Mark, Option, digest_of, identity_of
from sakuga.images.read import read_picture
from sakuga.images.urls import fetch, is_url
from sakuga.images.write import encode_picture, write_picture
from sakuga.inputs.outcome import Outcome, PaintedOtherwiseError
from sakuga.inputs.places import mark_at
from sakuga.inputs.plan import STREAM, Job, plan
from sakuga.inputs.telling import as_json_values, tell_failures, tell_outcomes
from sakuga.painting.pictures import USUAL, Look, mark_of, paint_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.paths import kind_of
from sakuga.video.options import VideoOptions, check_source, is_live, parts_folder

SMALLEST_TILE = 16  # pixels; around each a style looks at a hundred more


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
    all, so what is there is done. If it says that it was painted from something else or otherwise,
    the job fails. A source that is itself a result is skipped, unless it was named. Only what a
    user can cause makes a job fail; a bug is raised.

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
        start_s = time.perf_counter()
        try:
            yield _do(job, stylizer, look, video, file_format, overwrite, advance)
        except SakugaError as error:
            yield Outcome(job, "failed", time.perf_counter() - start_s, error)


def _do(
    job: Job,
    stylizer: Stylizer,
    look: Look,
    video: VideoOptions,
    file_format: str | None,
    overwrite: bool,
    advance: Callable[..., None],
) -> Outcome:
    """Do one job, unless it is done already.

    Raises:
        SakugaError: it cannot be done.
    """
    start_s = time.perf_counter()
    if job.is_video:
        _check_video(job, video)
    if not job.named and not is_url(job.source) and mark_at(Path(job.source)) is not None:
        return Outcome(job, "skipped", own=True, notes=("is itself a result of Sakuga",))
    content = read_stdin() if job.source == STREAM else None
    asked = _mark_of(job, stylizer, look, video, content)
    if _is_there(job, overwrite, video):
        assert job.target is not None
        found = mark_at(job.target)
        if found is None:
            note = "does not say what it was painted from"
            return Outcome(job, "skipped", notes=(note,), unmarked=True)
        if (difference := found.difference(asked, _usual(job))) is not None:
            raise PaintedOtherwiseError(job.target, difference)
        return Outcome(job, "skipped")
    notes: list[str] = []
    done = job
    if job.is_video:
        target, notes = _paint_video(job, stylizer, look, video, overwrite, advance)
        done = replace(job, target=target)
    else:
        photo = content if content is not None else _load(job.source)
        do_job(job, photo, stylizer, look, asked, file_format=file_format, progress=advance)
    return Outcome(done, "painted", time.perf_counter() - start_s, notes=tuple(notes))


def do_job(
    job: Job,
    photo: Path | bytes,
    stylizer: Stylizer,
    look: Look,
    mark: Mark,
    *,
    file_format: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Paint one picture to where it goes, replacing what is there.

    Raises:
        SakugaError: it cannot be read, painted or written.
    """
    picture = read_picture(photo, name=_name(job.source), max_side=look.max_side)
    painted = paint_picture(picture, stylizer, look, progress)
    del picture  # of 100 megapixels takes 300 MB, which encoding can use
    if job.target is not None:
        write_picture(painted, job.target, file_format, mark=mark)
        return
    if sys.stdout.isatty():
        raise OutputError("stdout is a terminal, which shows no pictures; use --out, or > FILE")
    file_format = file_format or format_like(painted.file_format)
    buffer = io.BytesIO()
    encode_picture(painted, buffer, file_format, name="stdout", mark=mark)
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
    made = plan(inputs, stylizer.spec.name, out=out, file_format=file_format)
    jobs = made.jobs
    to_stdout = jobs[0].target is None
    if to_stdout and as_json:
        raise OptionError("--json and a picture on stdout cannot be had together; use --out")
    if video is not None and not any(job.is_video for job in jobs):
        _refuse_video_options(video, jobs[0].source)
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
            if outcome.error is not None and len(jobs) == 1 and not made.errors:
                raise outcome.error
            outcomes.append(outcome)
    if as_json:
        print(json.dumps(as_json_values(stylizer.spec.name, outcomes, made.errors)))
    elif not quiet and not to_stdout:
        tell_outcomes(outcomes, made.folders, failures=bool(made.errors))
    return tell_failures(outcomes, made.errors)


def check_tile(tile: int | str) -> None:
    """Raise OptionError for tiles so small that a picture would take hours."""
    if isinstance(tile, int) and tile < SMALLEST_TILE:
        raise OptionError(
            f"tile is {tile} pixels; it must be {SMALLEST_TILE} or more, or auto or none"
        )


def _refuse_video_options(video: VideoOptions, source: str) -> None:
    """Raise OptionError for options of videos where there is none."""
    usual = VideoOptions()
    for one in fields(VideoOptions):
        if getattr(video, one.name) != getattr(usual, one.name):
            called = {"start": "from", "stop": "to", "steady": "no-steady"}.get(one.name, one.name)
            raise OptionError(
                f"--{called.replace('_', '-')} is for videos, and {_name(source)} is none; "
                "leave it out"
            )


def _mark_of(
    job: Job, stylizer: Stylizer, look: Look, video: VideoOptions, content: bytes | None
) -> Mark:
    """The mark of the result that is asked for."""
    if job.is_video:
        from sakuga.video.marks import video_mark

        return video_mark(job.source, stylizer, look, video)
    if content is not None:
        return mark_of(stylizer, look, source="stdin", digest=digest_of(content))
    source, digest = identity_of(job.source)
    return mark_of(stylizer, look, source=source, digest=digest)


def _usual(job: Job) -> Mapping[str, Option]:
    """What the options of such a job are unless one is given."""
    if not job.is_video:
        return USUAL
    from sakuga.video.marks import USUAL_VIDEO

    return USUAL_VIDEO


def _check_video(job: Job, video: VideoOptions) -> None:
    """Refuse what painting the video would refuse, also if the result is there already.

    Raises:
        OptionError, OutputError: options that do not fit the source or the kind of result.
    """
    from sakuga.video.containers import choose_codec

    assert job.target is not None
    check_source(job.source, video)
    if not video.preview:
        choose_codec(job.target, video.codec, video.crf)


def _is_there(job: Job, overwrite: bool, video: VideoOptions) -> bool:
    """True if the result is there and is not to be made again, or made further.

    Raises:
        OutputError: it is there, but can be no result of this job.
    """
    if job.target is None or overwrite or kind_of(job.target) == "nothing":
        return False
    if not job.is_video:
        return True
    if video.preview:
        return False  # the sheet has a name of its own
    if kind_of(parts_folder(job.target) / "job.json") == "file":
        if video.resume:
            return False
        raise OutputError(
            f"{job.target}: only a part of it is painted; go on with --resume, or start again with "
            "--overwrite"
        )
    if is_live(job.source):
        raise OutputError(
            f"{job.target}: is there already, and would be another recording; --overwrite replaces "
            "it, or choose another place with --out"
        )
    return True


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
    """A file's path; the content of an address."""
    return fetch(source) if is_url(source) else Path(source)


def _name(source: str) -> str:
    return "stdin" if source == STREAM else source
