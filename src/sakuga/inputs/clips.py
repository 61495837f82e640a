"""Clips and animations among the inputs: which options are for them, and painting one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sakuga.console import check_stdout, tell
from sakuga.errors import OptionError
from sakuga.images.formats import HEAD_BYTES, WRITABLE, begins_like_video
from sakuga.images.timeline import moves
from sakuga.images.urls import fetch, is_url
from sakuga.inputs.piping import files_for
from sakuga.inputs.plan import STREAM, Job, is_untold
from sakuga.video.options import VIDEO_FORMATS, VideoOptions, check_source, may_move

if TYPE_CHECKING:
    from sakuga.inputs.jobs import Request


def check_options(jobs: Sequence[Job], video: VideoOptions) -> None:
    """Refuse options that no job is for; of several jobs, options of clips are for clips.

    Raises:
        OptionError: naming them.
    """
    if not video.unusual() or any(job.is_video or is_untold(job.source) for job in jobs):
        return
    unread = any(job.source == STREAM or is_url(job.source) for job in jobs)  # looked at later
    animation = next((job for job in jobs if is_animation(job)), None)
    job = animation or jobs[0]
    check_for_picture(video, name_of(job.source), moves=unread or animation is not None)


def check_for_picture(video: VideoOptions, name: str, *, moves: bool) -> None:
    """Refuse options that mean nothing for a still picture, or for an animation.

    Raises:
        OptionError: naming them.
    """
    allowed = {"side_by_side"}
    if moves:
        allowed |= {"start", "stop", "fps", "preview", "wipe", "aspect"}
    if moves and video.shows_otherwise:  # what is made is a clip before it is a picture
        allowed |= {"fast", "steady", "resume", "discard", "segment_frames"}
    for option in video.unusual():
        if option not in allowed:
            called = {"start": "from", "stop": "to", "steady": "no-steady"}.get(option, option)
            what = "an animated picture" if moves else "a still picture"
            raise OptionError(
                f"--{called.replace('_', '-')} is for videos, and {name} is {what}; leave it out"
            )


def looked_at(job: Job, request: Request) -> Job:
    """The job of an address that does not say what it leads to, once its first bytes did.

    Raises:
        OptionError: a video was asked for, and it is a still picture.
        InputError: nothing can be had from there.
    """
    wanted, target = request.file_format, job.target
    if begins_like_video(fetch(job.source, first=HEAD_BYTES)):
        if target is not None and not job.to_file and wanted not in WRITABLE:
            target = target.with_suffix(f".{wanted or 'mp4'}")
        return replace(job, target=target, moving=True)
    if wanted in VIDEO_FORMATS or job.is_video:
        raise OptionError(f"{job.source}: holds no video; end --out with .png, .jpg or .webp")
    return job


def is_animation(job: Job) -> bool:
    """True for the file of an animation."""
    return may_move(job.source) and not is_url(job.source) and moves(Path(job.source))


def check_video(job: Job, video: VideoOptions) -> None:
    """Refuse what painting the video would refuse, also if the result is there already.

    Raises:
        OptionError, OutputError: options that do not fit the source or the kind of result.
    """
    from sakuga.video.containers import choose_codec

    if job.source != STREAM:
        check_source(job.source, video)
    if may_move(job.source) and not is_url(job.source) and not is_animation(job):
        raise OptionError(
            f"{job.source}: is a still picture; give a clip or an animation, or another --out"
        )
    if job.target is None:
        check_stdout()
    elif not video.preview:
        choose_codec(job.target, video.codec, video.crf)


def paint_moving(
    job: Job, request: Request, progress: Callable[[float, str], None]
) -> tuple[Path | None, list[str]]:
    """Paint one video or animation, or a sheet of moments of it.

    Returns:
        The file that was made (None: stdout), and what the user should know.
    """
    from sakuga.video import Progress, paint_clip, preview_clip

    def advance(state: Progress) -> None:
        share = state.frames / state.total_frames if state.total_frames else 0.0
        progress(min(1.0, share), f": {state.speed}")

    video, file_format = request.video, request.file_format
    if video.preview:
        if job.target is None or job.source == STREAM:
            raise OptionError("--preview looks at a file and makes one; name both")
        sheet, seconds = preview_clip(
            job.source,
            job.target if job.to_file else job.target.with_name(f"{job.target.stem}-preview.png"),
            style=request.stylizer,
            painting=request.painting,
            overwrite=request.overwrite,
            options=video,
        )
        if seconds is None:
            return sheet, []
        long = f"about {seconds:.0f} s" if seconds >= 1 else "less than a second"
        return sheet, [f"painting the whole clip will take {long}"]
    with files_for(job, file_format) as files:
        result = paint_clip(
            files.source,
            files.target,
            style=request.stylizer,
            painting=request.painting,
            overwrite=request.overwrite,
            options=replace(video, fragmented=job.target is None),
            on_progress=advance,
        )
        if result.interrupted:
            kept = "nothing is kept"
            if result.path and job.target:
                kept = f"{result.frames} frames are in {result.path}"
            for note in (kept, *result.notes):
                tell(f"{job.source}: {note}")
            raise KeyboardInterrupt
    assert result.path is not None
    notes = list(result.notes)
    made = result.path.suffix.lower().removeprefix(".")
    if file_format in WRITABLE and not job.to_file and made not in (file_format, "apng"):
        notes.append(f"--format {file_format} is for pictures; this video became {made}")
    return job.target and result.path, notes


def name_of(source: str) -> str:
    return "stdin" if source == STREAM else source
