"""Films into drawings to train on: distinct, sharp frames without black bars.

A film is read twice. First small, as a whole: it is cut into stretches at every change of scene
and every few seconds, and the sharpest frame of each stretch is a candidate. Then the chosen ones
alone, at full size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.data.image_stats import Doubles, bars, colour_spread, perceptual_hash, sharpness
from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import (
    Entry,
    Journal,
    OnPictures,
    PictureSet,
    Reject,
    no_progress,
    stamp_of,
)
from sakuga.errors import DataError, InputError, OptionError
from sakuga.files import reading
from sakuga.images.colour import Pixels
from sakuga.images.picture import Frame, Picture
from sakuga.images.write import encode_picture
from sakuga.paths import is_same_file, kind_of
from sakuga.video.decode import Clip
from sakuga.video.options import VideoOptions

FILMS_FILE = "films.jsonl"
SMALL_SIDE = 320  # pixels: the longer side in the first reading
BAR_SAMPLES = 24  # moments of a film at which its bars are looked for
CUT_LEVELS = 30.0  # mean change between neighbouring frames that begins a new scene, grey levels
BLURRED = 0.4  # of the film's median sharpness: below it a frame is moving, or a fade
MIN_SHARPNESS = 8.0  # grey levels: below it nothing in the frame has an edge
MIN_SPREAD = 6.0  # grey levels: below it the frame is black, white or of one colour
MAX_OWN_BARS = 0.06  # share of a side that may still be black once the film's bars are cropped
SAME_HASH_BITS = 7  # of 64: less than this changes while only a mouth moves

# The part of a picture inside the film's bars: rows and columns, as shares of the sides.
Crop = tuple[float, float, float, float]  # top, bottom, left, right


@dataclass(frozen=True)
class Candidate:
    """The sharpest frame of a stretch of a film, as it looks without the film's bars."""

    seconds: Fraction  # in the middle of the time that it is shown
    sharpness: float  # grey levels
    spread: float  # of its colours, grey levels
    hash: int
    own_bars: float  # share of a side that is black in this frame, but not in the whole film


def extract_frames(
    videos: Sequence[Path],
    out: Path,
    *,
    limit: int | None = None,
    every: float = 1.0,
    progress: OnPictures = no_progress,
) -> Outcome:
    """Take frames out of films and clips.

    Args:
        videos: films; each frame's line in the manifest names its film and time.
        out: a film that is done is not read again; one that was interrupted is.
        limit: how many frames in all, evenly over the films and over each film; None: all that are
            distinct and sharp.
        every: seconds: the longest stretch of a scene that gives one frame.

    Raises:
        DataError: no films.
        OptionError: a limit or stretch that makes no sense.
        OutputError: OUT holds another set or cannot be written.
    """
    if not videos:
        raise DataError("no films were named; give some before OUT")
    if every <= 0 or (limit is not None and limit < len(videos)):
        raise OptionError("--every must be more than 0, --limit at least one frame a film")
    quota = None if limit is None else limit // len(videos)
    with PictureSet(out, {"verb": "prepare frames", "every": every}) as pictures:
        with closing(Journal(out / FILMS_FILE, "film")) as finished:
            videos = [_as_known(video, finished) for video in videos]
            for number, video in enumerate(videos):

                def advance(share: float, number: int = number) -> None:
                    # Hundredths of a film.
                    progress(round(100 * (number + share)), 100 * len(videos))

                try:
                    with reading(video, "film"):
                        stamp = stamp_of(video)
                    now = {"film": str(video), "stamp": stamp, "quota": quota}
                    known = finished.lines.get(str(video))
                    if known != now:
                        if known is not None and known["stamp"] != now["stamp"]:
                            pictures.remove(_frames_of(video, pictures))  # it is another film now
                        finished.append({**now, "quota": "begun"})
                        _take_frames(video, pictures, quota, every, advance)
                        finished.append(now)
                except InputError as error:
                    pictures.reject(Reject(str(video), "not a film", str(error)))
            asked = {str(video) for video in videos}
            for source in set(pictures.rejects) - asked:
                if kind_of(Path(source)) == "nothing":  # misspelled in an earlier run
                    pictures.forget_reject(source)
            progress(100 * len(videos), 100 * len(videos))
        return Outcome.of(pictures)


def _as_known(video: Path, finished: Journal) -> Path:
    """A film as it was spelled when its frames were taken, if they were."""
    known = (Path(film) for film in finished.lines)
    return next((film for film in known if is_same_file(film, video)), video)


def _take_frames(
    video: Path,
    pictures: PictureSet,
    quota: int | None,
    every: float,
    advance: Callable[[float], None],
) -> None:
    """Put one film's frames into the set."""
    crop = find_bars(video)
    candidates = list(read_small(video, every, crop, lambda share: advance(share / 2)))
    chosen = choose(candidates, quota)
    pictures.forget_reject(str(video))
    if not chosen:
        found = f"all {len(candidates)} looked at are blurred, of one colour or with bars"
        pictures.reject(Reject(str(video), "no frame is fit", found))
    # Two films may have one name; their paths differ.
    name = f"{video.stem}-{hashlib.sha256(os.fsencode(video)).hexdigest()[:6]}"
    files = [f"{name}-{round(candidate.seconds * 1000):09}.jpg" for candidate in chosen]
    pictures.remove(set(_frames_of(video, pictures)) - set(files))  # of another limit
    for number, (file, candidate) in enumerate(zip(files, chosen, strict=True)):
        if not pictures.has(file):
            picture = cropped(_frame_at(video, candidate.seconds), crop)
            _keep(picture, file, video, candidate, pictures)
        advance(0.5 + number / len(chosen) / 2)


def _frames_of(video: Path, pictures: PictureSet) -> list[str]:
    return [f for f, entry in pictures.entries.items() if entry.facts.get("film") == str(video)]


def _keep(
    picture: Pixels, file: str, video: Path, candidate: Candidate, pictures: PictureSet
) -> None:
    part = pictures.part(file)
    with part.open("wb") as sink:
        encode_picture(Picture((Frame(picture),)), sink, "jpg", name=file)
    seconds = round(float(candidate.seconds), 3)
    entry = Entry.of(
        part,
        file,
        f"{video}#t={seconds:.3f}",
        (picture.shape[1], picture.shape[0]),
        {
            "film": str(video),
            "seconds": seconds,
            "sharpness": round(candidate.sharpness, 1),
            "hash": f"{candidate.hash:016x}",
        },
    )
    pictures.keep(part, entry)


def find_bars(video: Path) -> Crop:
    """Find the picture inside a film's black bars, from moments spread over it.

    Raises:
        InputError: it cannot be decoded.
    """
    with closing(Clip(video, VideoOptions())) as clip:
        length = Fraction(clip.seconds or 0)
    brightest: NDArray[np.uint8] | None = None
    for sample in range(BAR_SAMPLES):
        frame = _frame_at(video, length * (2 * sample + 1) / (2 * BAR_SAMPLES), SMALL_SIDE)
        light = frame.max(axis=2)
        brightest = light if brightest is None else np.maximum(brightest, light)
    assert brightest is not None
    rows, columns = bars(brightest)
    height, width = brightest.shape
    return rows.start / height, rows.stop / height, columns.start / width, columns.stop / width


def cropped(picture: Pixels, crop: Crop) -> Pixels:
    """Cut a picture down to the part inside the bars; a pixel more where there is a bar."""
    height, width = picture.shape[:2]
    top, bottom, left, right = crop
    # A bar's edge is known to a pixel of the small picture only.
    spare = -(-max(height, width) // SMALL_SIDE)
    rows = slice(
        round(top * height) + spare * (top > 0), round(bottom * height) - spare * (bottom < 1)
    )
    columns = slice(
        round(left * width) + spare * (left > 0), round(right * width) - spare * (right < 1)
    )
    return picture[rows, columns]


def read_small(
    video: Path, every: float, crop: Crop, advance: Callable[[float], None]
) -> Iterator[Candidate]:
    """Read a film as a whole, small, and give a candidate for each of its stretches.

    Raises:
        InputError: it cannot be decoded.
    """
    sharpest: tuple[float, Fraction, Pixels] | None = None  # of the stretch: how sharp, when, frame
    previous: NDArray[np.int16] | None = None
    began = Fraction(0)
    with closing(Clip(video, VideoOptions(), max_side=SMALL_SIDE)) as clip:
        length = clip.seconds or 0.0
        for frame in clip.frames():
            assert frame.picture is not None
            picture = cropped(frame.picture, crop)
            seconds = (frame.pts + Fraction(frame.duration, 2)) * clip.time_base
            thumb = cv2.resize(picture, (32, 18), interpolation=cv2.INTER_AREA).astype(np.int16)
            is_cut = previous is not None and np.abs(thumb - previous).mean() > CUT_LEVELS
            previous = thumb
            if sharpest and (is_cut or seconds - began >= every):
                yield measure(sharpest[2], sharpest[1])
                sharpest, began = None, seconds
                advance(min(1.0, float(seconds) / length) if length else 0.0)
            sharp = sharpness(picture)
            if sharpest is None or sharp > sharpest[0]:
                sharpest = (sharp, seconds, picture)
    assert sharpest is not None  # a Clip has at least one frame
    yield measure(sharpest[2], sharpest[1])


def measure(picture: Pixels, seconds: Fraction) -> Candidate:
    """Measure a frame, (H, W, 3) without the film's bars."""
    rows, columns = bars(picture.max(axis=2))
    height, width = picture.shape[:2]
    inside = min((rows.stop - rows.start) / height, (columns.stop - columns.start) / width)
    return Candidate(
        seconds=seconds,
        sharpness=sharpness(picture),
        spread=colour_spread(picture)[0],
        hash=perceptual_hash(picture),
        own_bars=1 - inside,
    )


def choose(candidates: Sequence[Candidate], quota: int | None) -> list[Candidate]:
    """Choose the frames of a film worth keeping, in the order of time.

    Left out are frames of one colour, with bars of their own, blurred beside the film's others, and
    near-duplicates of one already chosen. What is left is thinned evenly to the quota.
    """
    usable = [c for c in candidates if c.spread >= MIN_SPREAD and c.own_bars <= MAX_OWN_BARS]
    usual = float(np.median([c.sharpness for c in usable])) if usable else 0.0
    distinct: list[Candidate] = []
    doubles = Doubles(SAME_HASH_BITS)
    for candidate in usable:
        is_sharp = candidate.sharpness >= max(BLURRED * usual, MIN_SHARPNESS)
        if is_sharp and doubles.find(candidate.hash) is None:
            doubles.add(candidate.hash, "")
            distinct.append(candidate)
    if quota is None or len(distinct) <= quota:
        return distinct
    return [distinct[(2 * n + 1) * len(distinct) // (2 * quota)] for n in range(quota)]


def _frame_at(video: Path, seconds: Fraction, max_side: int | None = None) -> Pixels:
    """Read the frame that is shown at a time of a film."""
    with closing(Clip(video, VideoOptions(start=seconds), max_side)) as clip:
        picture = next(clip.frames()).picture
    assert picture is not None
    return picture
