"""What the page Design asks for: sliders, a photo painted with them, a recipe of them."""

from __future__ import annotations

import asyncio
import io
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sakuga.cel import design
from sakuga.errors import InputError, MissingExtraError, OptionError, SakugaError
from sakuga.extras import need
from sakuga.files import sha256_of
from sakuga.images.read import MAX_PIXELS, read_picture
from sakuga.images.sources import list_files
from sakuga.web.errors import Problem, from_mistake
from sakuga.web.pool import Pool
from sakuga.web.settings import Settings
from sakuga.web.uploads import check_picture, receive

if TYPE_CHECKING:
    from sakuga.cel.painter import Easel
    from sakuga.cel.settings import CelSettings
    from sakuga.images.colour import Pixels

MOST_PHOTOS = 60  # on the page
_EASELS = 3  # photos whose stages are kept: some 60 MB each
CREDITS = {"name": 64, "description": 500, "licence": 100, "attribution": 200}  # characters


def missing() -> str | None:
    """The command that brings what the painter needs, or None where it is there."""
    try:
        need("sakuga design", "data", "cv2")
    except MissingExtraError:
        return "pip install 'sakuga[data]'"
    return None


def photos_in(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The picture files that are named, and those in folders that are named.

    Raises:
        InputError: one is not there, or a folder holds no picture file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            names = list_files(path)
            if not names:
                raise InputError(f"{path} holds no picture files; check the path")
            found += [path / name for name in names]
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path}: no such file or folder; check the spelling")
    return tuple(found[:MOST_PHOTOS])


class DesignEndpoints:
    """The handlers.

    Args:
        settings: `photos` of it are the user's own, in the order they are shown.
        folder: private, for uploads.
        pool: the thread that paints pictures.
    """

    def __init__(self, settings: Settings, folder: Path, pool: Pool) -> None:
        self._settings = settings
        self._folder = folder
        self._pool = pool
        self._easels: OrderedDict[str, Easel] = OrderedDict()

    async def describe(self, _: Request) -> Response:
        """GET /api/design"""
        sliders = [
            {
                "setting": slider.setting,
                "label": slider.label,
                "left": slider.left,
                "right": slider.right,
                "ends": slider.ends,
            }
            for slider in design.SLIDERS
        ]
        drawn = self._settings.drawn
        presets = {design.DRAWN: design.shown(drawn.settings)} if drawn else {}
        presets |= {name: design.shown(design.preset(name)) for name in design.PRESETS}
        return JSONResponse(
            {
                "sliders": sliders,
                "colours": design.COLOURS,
                "tones": design.TONES,
                "presets": presets,
                "photos": [path.name for path in self._settings.photos],
                "missing": missing(),
            }
        )

    async def photo(self, request: Request) -> Response:
        """GET /api/design/photos/NUMBER"""
        asked = request.path_params["number"]
        numbered = {str(number): path for number, path in enumerate(self._settings.photos)}
        if asked not in numbered:
            raise Problem(404, f"there is no photo {asked[:8]!r}; {len(numbered)} were given")
        path = numbered[asked]
        try:
            most = self._settings.picture_pixels
            return _png(await asyncio.to_thread(_read, path, path.name, most))
        except SakugaError as error:
            raise from_mistake(error, path.parent) from error

    async def preview(self, request: Request) -> Response:
        """POST /api/design/preview"""
        if command := missing():
            raise Problem(501, f"the painter is not installed here: {command}")
        with self._pool.place(self._folder, "design") as place:
            _, settings = design.read_choice(
                request.query_params.multi_items(), self._settings.drawn
            )
            source = place.folder / "photo"
            if await receive(request, source, self._settings.picture_bytes, self._settings):
                raise Problem(422, "the form has more than its file: settings go into the query")
            check_picture(source)
            began = time.monotonic()
            place.future = self._pool.submit(lambda: self._paint(source, settings))
            drawing = await asyncio.wrap_future(place.future)
            seconds = time.monotonic() - began
            return _png(drawing, {"X-Sakuga-Seconds": f"{seconds:.3f}"})

    async def recipe(self, request: Request) -> Response:
        """GET /api/design/recipe"""
        values = request.query_params.multi_items()
        said: dict[str, str] = {}
        for name, text in values:
            if name in CREDITS:
                if len(text) > CREDITS[name] or name in said:
                    raise Problem(422, f"{name}: once, at most {CREDITS[name]} characters")
                said[name] = text
        sliders = [pair for pair in values if pair[0] not in CREDITS]
        drawn = self._settings.drawn
        start, settings = design.read_choice(sliders, drawn)
        text = design.to_recipe(start, settings, drawn=drawn, **{"name": "mine", **said})
        name = f"{said.get('name', 'mine')}.toml"
        return Response(
            text,
            media_type="application/toml",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def _paint(self, source: Path, settings: CelSettings) -> Pixels:
        """Paint a photo; of one that was painted lately, only the stages that change."""
        key = sha256_of(source)
        easel = self._easels.pop(key, None)
        if easel is None:
            easel = _easel(_read(source, "the picture", self._settings.picture_pixels))
        self._easels[key] = easel
        while len(self._easels) > _EASELS:
            self._easels.popitem(last=False)
        drawing, _ = easel.paint(settings)
        return drawing


def start_like(source: Path, photos: Sequence[Path]) -> design.Drawn:
    """Measure drawings, and find the settings with which the first photos come near them.

    Raises:
        OptionError: no photos.
        DataError, InputError: no drawings, or a picture that cannot be measured.
    """
    from sakuga.cel import drawings

    if not photos:
        raise OptionError("--drawings are compared with photos of yours: name some photos, too")
    look = drawings.measure(drawings.read_drawings(source))
    easels = [_easel(_read(path, str(path))) for path in photos[: drawings.MOST_PHOTOS]]
    settings, painted = drawings.settings_like(look, easels)
    return design.Drawn(source.resolve(), settings, drawings.told(look, painted, settings))


def _read(path: Path, name: str, most: int = MAX_PIXELS) -> Pixels:
    """A photo, its longer side at most as long as settings are meant for."""
    picture = read_picture(path, name=name, max_pixels=most, max_side=design.PREVIEW_SIDE)
    return picture.frames[0].colour


def _easel(photo: Pixels) -> Easel:
    """A photo on the easel. Raises InputError: there is nothing to draw in one so small."""
    from sakuga.cel.faces import find_faces
    from sakuga.cel.painter import Easel

    height, width = photo.shape[:2]
    if min(height, width) < design.SHORTEST_SIDE:
        raise InputError(
            f"the picture is {width} x {height} pixels large at preview size; "
            f"the shorter side must be {design.SHORTEST_SIDE} or more"
        )
    return Easel(photo, find_faces(photo))


def _png(pixels: Pixels, headers: dict[str, str] | None = None) -> Response:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return Response(file.getvalue(), media_type="image/png", headers=headers)
