"""Do the jobs of a plan, one after the other, going on past a bad file."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sakuga.console import ProgressBar, check_stdout, copy_to_stdout, read_stdin
from sakuga.errors import InputError, OptionError, OutputError, SakugaError, one_line
from sakuga.images.formats import HEAD_BYTES, begins_like_video, format_like, format_of
from sakuga.images.marks import Mark, digest_of, identity_of
from sakuga.images.read import read_picture
from sakuga.images.timeline import retimed
from sakuga.images.urls import fetch, is_url
from sakuga.images.write import check_holds, encode_picture, write_picture
from sakuga.inputs.clips import (
    check_for_picture,
    check_options,
    check_video,
    is_animation,
    looked_at,
    name_of,
    paint_moving,
)
from sakuga.inputs.places import mark_at
from sakuga.inputs.plan import STREAM, Job, Plan, is_untold, plan
from sakuga.inputs.telling import (
    Outcome,
    PaintedOtherwiseError,
    line_of,
    row_of,
    tell_failures,
    tell_outcomes,
)
from sakuga.painting.options import OnShare, PaintOptions
from sakuga.painting.pictures import beside, mark_of, paint_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.paths import kind_of
from sakuga.video.options import USUAL_MOVING, VIDEO_FORMATS, VideoOptions, is_live, parts_folder

_OF_TIME, _OF_PICTURES = ("from", "to", "fps"), ("side-by-side", "wipe", "aspect")
SMALLEST_TILE = 16  # pixels; around each a style looks at a hundred more


@dataclass(frozen=True)
class Request:
    """How all inputs of a command are to be painted, where to, and what is told of it."""

    stylizer: Stylizer
    painting: PaintOptions = field(default_factory=PaintOptions)
    video: VideoOptions = field(default_factory=VideoOptions)  # for what moves
    out: Path | None = None  # see `plan`
    file_format: str | None = None  # of the results; None: that of the source
    overwrite: bool = False  # paint again what is there
    quiet: bool = False  # tell of failures only
    verbose: bool = False  # tell of each result as it is done
    as_json: bool = False  # print what was done as JSON

    def plan(self, inputs: Sequence[str], wanted: Callable[[Path], bool] | None = None) -> Plan:
        """The jobs that the inputs make; see `sakuga.inputs.plan`."""
        style = self.stylizer.spec.name
        return plan(inputs, style, out=self.out, file_format=self.file_format, wanted=wanted)


def do_jobs(
    jobs: Sequence[Job], request: Request, progress: Callable[[float, str], None] | None = None
) -> Iterator[Outcome]:
    """Do one job after the other, giving what became of each as it is done.

    A job whose result is there is skipped, unless it is to be overwritten: results are written
    whole or not at all, so what is there is done. If it says that it was painted from something
    else or otherwise, the job fails. A source that is itself a result is skipped, unless it was
    named. Only what a user can cause makes a job fail; a bug is raised.

    Args:
        progress: called with the number of jobs done, a fraction, and the name of the current one.
    """
    for index, job in enumerate(jobs):

        def advance(
            share: float, note: str = "", index: int = index, source: str = job.source
        ) -> None:
            if progress is not None:
                progress(index + share, f"{source}{note}")

        advance(0.0)
        start_s = time.perf_counter()
        try:
            yield _do(job, request, advance)
        except SakugaError as error:
            yield Outcome(job, "failed", time.perf_counter() - start_s, error)


def _do(job: Job, request: Request, advance: Callable[..., None]) -> Outcome:
    """Do one job, unless it is done already.

    Raises:
        SakugaError: it cannot be done.
    """
    start_s = time.perf_counter()
    video = request.video
    is_there = job.target is not None and kind_of(job.target) != "nothing"
    if is_untold(job.source) and (request.overwrite or not is_there):
        job = looked_at(job, request)
    as_video = job.is_video or (video.shows_otherwise and is_animation(job))
    if as_video:
        check_video(job, video)
    if not job.named and not is_url(job.source) and mark_at(Path(job.source)) is not None:
        return Outcome(job, "skipped", own=True, notes=("is itself a result of Sakuga",))
    content = read_stdin() if job.source == STREAM and not as_video else None
    asked = _mark_of(job, request, content)
    if _is_there(job, request, as_video):
        assert job.target is not None
        found = mark_at(job.target)
        if found is None:
            note = "does not say what it was painted from"
            return Outcome(job, "skipped", notes=(note,), unmarked=True)
        if (difference := found.difference(asked, USUAL_MOVING)) is not None:
            raise PaintedOtherwiseError(job.target, difference)
        return Outcome(job, "skipped")
    notes: list[str] = []
    done = job
    if as_video:
        target, notes = paint_moving(job, request, advance)
        done = replace(job, target=target)
    else:
        place = fetch(job.source) if is_url(job.source) else Path(job.source)
        do_job(job, place if content is None else content, request, asked, advance)
    return Outcome(done, "painted", time.perf_counter() - start_s, notes=tuple(notes))


def do_job(
    job: Job,
    photo: Path | bytes,
    request: Request,
    mark: Mark,
    progress: OnShare | None = None,
) -> None:
    """Paint one picture or animation to where it goes, replacing what is there.

    Of the options of videos, `start`, `stop` and `fps` choose the frames of an animation, and
    `side_by_side` shows the photo too.

    Raises:
        SakugaError: it cannot be read, painted or written.
    """
    video, options = request.video, request.painting
    file_format = None if request.file_format in VIDEO_FORMATS else request.file_format
    name = name_of(job.source)
    if job.target is None:
        check_stdout()
    if job.source == STREAM and isinstance(photo, bytes) and begins_like_video(photo[:HEAD_BYTES]):
        raise InputError(f"{name}: holds a video; say --format mp4, or name a video with --out")
    picture = read_picture(photo, name=name, max_side=options.max_side)
    if file_format is None and job.target is not None:
        file_format = format_of(job.target)
    file_format = file_format or format_like(picture.file_format)
    check_holds(picture, file_format, name)
    if len(picture.frames) > 1:
        picture = retimed(
            picture, file_format, start=video.start, stop=video.stop, fps=video.fps, name=name
        )
    elif job.named:
        check_for_picture(video, name, moves=False)
    painted = paint_picture(picture, request.stylizer, options, progress)
    if video.side_by_side:
        painted = beside(picture, painted)
    del picture  # of 100 megapixels takes 300 MB, which encoding can use
    if job.target is not None:
        write_picture(painted, job.target, file_format, mark=mark)
        return
    buffer = io.BytesIO()
    encode_picture(painted, buffer, file_format, name="stdout", mark=mark)
    buffer.seek(0)
    copy_to_stdout(buffer)


def run_jobs(
    jobs: Sequence[Job], request: Request, told: Callable[[Outcome, ProgressBar], None]
) -> list[Outcome]:
    """Do the jobs under a progress bar, telling of each as it is done."""
    outcomes = []
    with ProgressBar("Painting", total=len(jobs), quiet=request.quiet) as bar:
        for outcome in do_jobs(jobs, request, bar.update):
            outcomes.append(outcome)
            told(outcome, bar)
    return outcomes


def paint_inputs(inputs: Sequence[str], request: Request) -> int:
    """Plan the inputs, do the jobs and tell what happened.

    Returns:
        The exit status: 0, or 1 if some of many jobs failed.

    Raises:
        SakugaError: the plan cannot be made, or its only job failed.
    """
    made = request.plan(inputs)
    jobs = made.jobs
    to_stdout = jobs[0].target is None
    if to_stdout and request.as_json:
        raise OptionError("--json and a picture on stdout cannot be had together; use --out")
    check_options(jobs, request.video)

    def told(outcome: Outcome, bar: ProgressBar) -> None:
        if outcome.error is not None and len(jobs) == 1 and not made.errors:
            raise outcome.error
        if request.verbose:
            bar.say(line_of(outcome))

    outcomes = run_jobs(jobs, request, told)
    if request.as_json:
        results = [row_of(outcome) for outcome in outcomes]
        errors = {"errors": [one_line(error) for error in made.errors]} if made.errors else {}
        print(json.dumps({"style": request.stylizer.spec.name, "results": results, **errors}))
    elif not request.quiet and not to_stdout:
        tell_outcomes(outcomes, made.folders, failures=bool(made.errors))
    return tell_failures(outcomes, made.errors)


def check_tile(tile: int | str) -> None:
    """Raise OptionError for tiles so small that a picture would take hours."""
    if isinstance(tile, int) and tile < SMALLEST_TILE:
        raise OptionError(
            f"tile is {tile} pixels; it must be {SMALLEST_TILE} or more, or auto or none"
        )


def _mark_of(job: Job, request: Request, content: bytes | None) -> Mark:
    """The mark of the result that is asked for."""
    stylizer, options, video = request.stylizer, request.painting, request.video
    if job.source == STREAM:
        digest = "" if content is None else digest_of(content)
        return mark_of(stylizer, options, source="stdin", digest=digest)
    if job.is_video:
        from sakuga.video.marks import video_mark

        return video_mark(job.source, stylizer, options, video)
    source, digest = identity_of(job.source)
    more = {k: v for k, v in video.decisive().items() if k in (*_OF_TIME, *_OF_PICTURES)}
    if any(name in _OF_TIME for name in more) and not is_animation(job):  # a photo among clips
        more = {name: value for name, value in more.items() if name not in _OF_TIME}
    return mark_of(stylizer, options, source=source, digest=digest, more=more)


def _is_there(job: Job, request: Request, as_video: bool) -> bool:
    """True if the result is there and is not to be made again, or made further.

    Raises:
        OutputError: it is there, but can be no result of this job.
    """
    if job.target is None or request.overwrite or kind_of(job.target) == "nothing":
        return False
    if not as_video:
        return True
    if request.video.preview:
        return False  # the sheet has a name of its own
    if kind_of(parts_folder(job.target) / "job.json") == "file":
        if request.video.resume:
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
