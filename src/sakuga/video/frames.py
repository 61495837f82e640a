"""A decoded frame <-> uint8 (H, W, 3) RGB, upright, in the colours of BT.709.

Turning, mirroring, tone mapping and shrinking happen here, and nowhere else. A `VideoReformatter`
holds the tables of a conversion: give all frames of a stream the same one. Left to themselves they
would make one each, which live on until Python looks for cycles, a hundred megabytes at a time.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from sakuga.images.picture import Frame
from sakuga.video import hdr

Pixels = NDArray[np.uint8]

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_HD_HEIGHT = 720  # pixels: players take untagged video this high for BT.709, a lower one for 601
_KEEP = (1, 0, 0, 1)


def orientation(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Read how the frame is to be turned: the signs (a, b, c, d) of its display matrix.

    A stored pixel (x, y) belongs at (a x + c y, b x + d y). Angles that are not quarter turns,
    which only instruments write, count as none. Ask this of a stream's first frame only: a frame
    and its side data hold each other until Python looks for cycles, some hundred frames later.
    """
    try:
        matrix = struct.unpack("<9i", bytes(frame.side_data["DISPLAYMATRIX"])[:36])  # type: ignore[typeddict-item]
        a, b, c, d = (round(matrix[index] / 65536) for index in (0, 1, 3, 4))
    except KeyError:
        return _KEEP
    except ValueError:  # data PyAV has no name for, such as EXIF, lie beside it: the angle is known
        angle = -math.radians(frame.rotation)
        a, b = round(math.cos(angle)), round(math.sin(angle))
        c, d = -b, a
    turn = (a, b, c, d)
    quarter = abs(a * d - b * c) == 1 and all(abs(value) <= 1 for value in turn)
    return turn if quarter and abs(a) + abs(b) == 1 else _KEEP


def swaps_sides(turn: tuple[int, int, int, int]) -> bool:
    """True if the turned picture is as wide as the stored one is high."""
    return turn[0] == 0


def make_upright(picture: Pixels, turn: tuple[int, int, int, int]) -> Pixels:
    """Turn and mirror (H, W, 3) by the signs from `orientation`."""
    a, b, c, d = turn
    if swaps_sides(turn):  # shown x is the stored y, shown y the stored x
        picture = picture.swapaxes(0, 1)
        return picture[:: (1 if b > 0 else -1), :: (1 if c > 0 else -1)]
    return picture[:: (1 if d > 0 else -1), :: (1 if a > 0 else -1)]


class ToRgb:
    """Converts the frames of one stream to upright RGB of one size, transparent parts to white.

    Args:
        turn: from `orientation` of its first frame.
        width, height: pixels of the upright picture; no larger than the frames.
        has_alpha: False for a stream whose format has a place for alpha that nobody filled in.
    """

    def __init__(
        self, turn: tuple[int, int, int, int], width: int, height: int, *, has_alpha: bool = True
    ) -> None:
        self._turn = turn
        self._width, self._height = (height, width) if swaps_sides(turn) else (width, height)
        self._has_alpha = has_alpha
        self._reformatter = VideoReformatter()
        self._shrinker = VideoReformatter()
        self.transparent = False  # whether anything was laid on white so far

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """uint8 (H, W, 3)."""
        if self._has_alpha and holds_alpha(frame):
            colour, alpha = _split(frame, self._reformatter)
            if alpha.min() < 255:
                self.transparent = True
                # Laid on white before it is shrunk: what nobody sees must not bleed into its edges.
                frame = av.VideoFrame.from_ndarray(Frame(colour, alpha).on_white(), format="rgb24")
        samples = self._samples(frame)
        return np.ascontiguousarray(make_upright(samples, self._turn))

    def _samples(self, frame: av.VideoFrame) -> Pixels:
        shrinks = self._width < frame.width or self._height < frame.height
        is_hdr = frame.color_trc in hdr.NAMES
        converted = self._shrinker.reformat(
            frame,
            width=self._width,
            height=self._height,
            format="rgb48le" if is_hdr else "rgb24",
            src_colorspace=_matrix(frame),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA if shrinks else Interpolation.BILINEAR,
            threads=1,
        )
        samples: Any = converted.to_ndarray()  # uint16 if HDR, else uint8
        picture: Pixels = hdr.tone_map(samples, frame.color_trc) if is_hdr else samples
        return picture


def holds_alpha(frame: av.VideoFrame) -> bool:
    """True if the format of the frame has a place for transparency."""
    return frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)


def alpha_is_empty(frame: av.VideoFrame) -> bool:
    """True if all of the frame is transparent, as where a program left the fourth byte at 0."""
    return not _split(frame, VideoReformatter())[1].any()


def _split(frame: av.VideoFrame, reformatter: VideoReformatter) -> tuple[Pixels, Pixels]:
    """The frame's colour (H, W, 3), tone-mapped if it is HDR, and its alpha (H, W)."""
    is_hdr = frame.color_trc in hdr.NAMES
    converted = reformatter.reformat(
        frame,
        format="rgba64le" if is_hdr else "rgba",
        src_colorspace=_matrix(frame),
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    samples: Any = converted.to_ndarray()
    if not is_hdr:
        return samples[..., :3], samples[..., 3]
    colour = hdr.tone_map(np.ascontiguousarray(samples[..., :3]), frame.color_trc)
    return colour, (samples[..., 3] >> 8).astype(np.uint8)


def _matrix(frame: av.VideoFrame) -> int | None:
    """The matrix of the frame's colours; None: as the frame says."""
    if frame.colorspace != _UNSPECIFIED or frame.format.is_rgb is not False:
        return None
    if frame.color_trc in hdr.NAMES:
        return Colorspace.BT2020
    return Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601


def from_rgb(picture: Pixels, pixel_format: str, reformatter: VideoReformatter) -> av.VideoFrame:
    """Convert RGB (H, W, 3) to a frame an encoder takes, tagged BT.709.

    Most video formats store colour at half the width and height, so they need even sides: the last
    row and column are repeated once where a side is odd.
    """
    height, width = picture.shape[:2]
    if pixel_format != "rgb24" and (height % 2 or width % 2):
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    if pixel_format == "rgb24":
        return frame
    return reformatter.reformat(
        frame,
        format=pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
