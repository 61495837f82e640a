"""A file, address, camera or screen that is named -> an open container and its stream."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import av.error

from sakuga.errors import InputError, reason_of
from sakuga.files import reading
from sakuga.paths import kind_of
from sakuga.video.options import is_address, is_live

_TIMEOUT_S = 15.0  # for a server that does not answer
# FFmpeg's own decoders of these leave the alpha out, which lies beside the picture in each packet.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# FFmpeg's devices: (format, what the first camera or screen is called), by platform.
_CAMERAS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}:none"),
    "win32": ("vfwcap", "{}"),
}
_SCREENS = {
    "linux": ("x11grab", ":{}.0"),
    "darwin": ("avfoundation", "Capture screen {}:none"),
    "win32": ("gdigrab", "desktop"),
}


def open_input(source: str | Path) -> av.container.InputContainer:
    """Open a path, URL, `webcam[:N]` or `screen[:N]` for reading.

    Raises:
        InputError: with the reason in the user's words.
    """
    text = str(source)
    kind, _, number = text.partition(":")
    if kind in ("webcam", "screen") and is_live(text):
        return _open_device(kind, number or "0")
    path = Path(text)
    if not is_address(text):
        if not text:  # to the system, the current folder
            raise InputError("an empty name was given; name a video")
        kind_of_file = kind_of(path)
        if kind_of_file == "nothing":
            raise InputError(f"{text}: there is no such file; check the spelling")
        if kind_of_file == "folder":
            raise InputError(f"{text}: is a folder, not a video")
    try:
        options = {"rtsp_transport": "tcp"} if text.startswith("rtsp") else {}
        timeout = (_TIMEOUT_S, _TIMEOUT_S) if is_address(text) else None
        # An absolute path, because FFmpeg takes what stands before a colon for a protocol.
        place = text if is_address(text) else str(path.absolute())
        return av.open(place, "r", options=options, timeout=timeout, metadata_errors="replace")
    except av.error.FFmpegError as error:
        _refuse_cut_off(text)
        what = "cannot be reached" if is_address(text) else "is not a video, or is damaged"
        raise InputError(
            f"{text}: {what} ({reason_of(error)}); check it plays in a video player"
        ) from error


def _refuse_cut_off(name: str) -> None:
    """Raise InputError for an MP4 or MOV whose index, `moov`, is missing or not whole.

    The file is a row of boxes, each of which begins with its size and kind (ISO/IEC 14496-12, 4.2).
    """
    if is_address(name) or not (path := Path(name)).is_file():
        return
    whole, start, first, kind = path.stat().st_size, 0, b"", b""
    with reading(name), path.open("rb") as file:
        while kind != b"moov" and start < whole:
            file.seek(start)
            size, kind = int.from_bytes(file.read(4)), file.read(4)
            if size == 1:  # stands for a larger number behind the kind
                size = int.from_bytes(file.read(8))
            first = first or kind
            start += size or whole  # 0: up to the file's end
    if first in (b"ftyp", b"moov", b"mdat", b"wide") and (kind != b"moov" or start > whole):
        raise InputError(
            f"{name}: its index is missing, so it is cut off: not downloaded, copied or recorded "
            "to its end; get a whole copy of it"
        )


def _open_device(kind: str, number: str) -> av.container.InputContainer:
    devices = _CAMERAS if kind == "webcam" else _SCREENS
    if not number.isdigit():
        raise InputError(f"{kind}:{number}: the part after the colon must be a number, as {kind}:0")
    if sys.platform not in devices:
        raise InputError(f"{kind}: is not supported on {sys.platform}")
    device_format, pattern = devices[sys.platform]
    device = pattern.format(number)
    if device.startswith("/dev/") and not Path(device).exists():
        raise InputError(
            f"{kind}:{number}: there is no camera at {device}; plug one in, or give another number"
        )
    try:
        return av.open(device, "r", format=device_format)
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(
            f"{kind}:{number}: {device} cannot be opened ({reason_of(error)}); check that it is "
            "there and that this program may use it"
        ) from error


def decoder_of(stream: av.VideoStream) -> av.VideoCodecContext:
    """The stream's own decoder, or another one where only that sees the alpha."""
    context = stream.codec_context
    name = _ALPHA_DECODERS.get(context.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode") != "1":
        return context
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = context.extradata
    return decoder


def pick_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The first stream of moving pictures; a cover picture does not count."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                container.close()
                raise InputError(f"{name}: nothing here can decode its video")
            return stream
    found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    container.close()
    _refuse_cut_off(name)
    raise InputError(f"{name}: has no video stream, it holds {found}; give a file with pictures")
