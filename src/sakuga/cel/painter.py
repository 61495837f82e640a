"""From a photo to a drawing, stage after stage.

It takes up to a second, so it is run once over the photos and stored (`sakuga prepare cel`). A
photo becomes few tones with crisp, smooth borders, and continuous strokes:

    photo -> flow of its edges -> Kuwahara along the flow -> detail that stands out put back
          -> smoothed along the flow -> regions of one tone, shaded in steps -> two tones on skin
          -> colour -> strokes

Unless a function says otherwise, colour is float32 (H, W, 3) CIELAB, L in [0, 100], and maps are
float32 (H, W). Borders are mirrored. Needs OpenCV (the extra `data`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from sakuga.cel.filters import (
    Flow,
    Map,
    anisotropic_kuwahara,
    blur,
    edge_tangent_flow,
    flow_lines,
    gradient,
    grid,
    sample,
    smooth_along,
    smoothstep,
)
from sakuga.cel.settings import CelSettings
from sakuga.cel.skin import Face, draw_features, face_map, two_tone_skin
from sakuga.cel.tones import few_lightnesses, soft_places, tone_regions
from sakuga.images.colour import Pixels


def paint_cel(
    photo: Pixels, settings: CelSettings, faces: Sequence[Face] = ()
) -> tuple[Pixels, Map]:
    """Paint a photo, uint8 (H, W, 3) RGB.

    Returns:
        The drawing, uint8 (H, W, 3), and its strokes, float32 (H, W): 0 paper, 1 ink.
    """
    return Easel(photo, faces).paint(settings)


# The settings each stage depends on, those of the stages before it included.
_BRUSH = ("brush", "texture_brush")
_PAINTED = (*_BRUSH, "detail", "face_detail", "flow")
_TONES = (*_PAINTED, "merge", "shade")
_PICTURE = (*_TONES, "flatness", "gradient", "skin")
_LINES = (
    *(*_TONES, "line_width", "line_level", "line_slope", "line_flow"),
    *("line_length", "crowding"),
)
_KEPT = 2  # results of a stage: two settings can be compared without doing all of it again


class Easel:
    """A photo that is painted again and again: a change repeats only the stages it changes.

    Not for several threads at once.

    Args:
        photo: uint8 (H, W, 3) RGB.
        faces: those found in it.
    """

    def __init__(self, photo: Pixels, faces: Sequence[Face] = ()) -> None:
        self._faces = faces
        self._lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        light = self._lab[..., 0]
        self._flow = edge_tangent_flow(light)

        # Texture is high local contrast, over a wide area, in all directions: foliage, fur. There
        # the brush grows; what runs one way (windows, tiles) and a word on a shirt keep a fine one.
        contrast = blur(np.abs(light - blur(light, 2.0)), 3.0)
        share = blur((contrast > 2.5).astype(np.float32), 20.0)  # of the place that is textured
        order = edge_tangent_flow(light, 6.0).anisotropy
        texture = smoothstep(2.0, 6.0, blur(contrast, 6.0)) * smoothstep(0.3, 0.6, share)
        self._texture: Map = texture * smoothstep(0.6, 0.25, blur(order, 4.0))
        # A bird's breast is textured, and its eye stays; a hedge is masses of light and shadow.
        self._foliage: Map = self._texture * smoothstep(0.5, 0.8, blur(self._texture, 20.0))

        # Where much is small and strong, leaves or windows or a crowd: tones stay small.
        self._busy: Map = smoothstep(2.0, 5.0, blur(contrast, 2.0))

        # Light strokes of a finer brush: what eyes and letters are taken from.
        self._face = face_map(faces, light.shape)
        fine = anisotropic_kuwahara(self._lab, self._flow, 1.0)
        self._fine, self._kept = draw_features(fine, self._lab, faces)
        self._inner = face_map(faces, light.shape, 0.8)  # without its contour
        self._wide = soft_places(light)
        self._done: dict[tuple[str, ...], dict[tuple[float, ...], Map]] = {}

    def paint(self, settings: CelSettings) -> tuple[Pixels, Map]:
        """The drawing and its strokes, as `paint_cel` gives them."""
        brushed = self._once(_BRUSH, settings, lambda: self._brush(settings))
        painted = self._once(_PAINTED, settings, lambda: self._calm(brushed, settings))
        tones = self._once(_TONES, settings, lambda: lay_out(painted, settings, self._busy))
        picture = self._once(_PICTURE, settings, lambda: self._flatten(painted, tones, settings))
        lines = self._once(_LINES, settings, lambda: self._draw_lines(painted, tones, settings))
        return colour(picture, lines, self._face, settings), lines

    def _once(self, names: tuple[str, ...], settings: CelSettings, make: Callable[[], Map]) -> Map:
        """What a stage made of these values of its settings before, or makes now."""
        values = tuple(getattr(settings, name) for name in names)
        done = self._done.setdefault(names, {})
        if values in done:
            done[values] = done.pop(values)  # the latest is the last to go
        else:
            while len(done) >= _KEPT:
                del done[next(iter(done))]
            done[values] = make()
        return done[values]

    def _brush(self, settings: CelSettings) -> Map:
        wider = 0.6 * self._texture + 0.4 * self._foliage
        radius = settings.brush + (settings.texture_brush - settings.brush) * wider
        return anisotropic_kuwahara(self._lab, self._flow, radius)

    def _calm(self, painted: Map, settings: CelSettings) -> Map:
        """Put detail that stands out back, and calm contours."""
        accents = self._stands_out(painted) * settings.detail
        accents = np.maximum(accents, self._kept * settings.face_detail)[..., None]
        painted = painted + accents * (self._fine - painted)

        # Where there is an edge to follow: in skies it would draw stripes.
        along = edge_tangent_flow(painted[..., 0], 2.5)
        calmer = smooth_along(painted, along, settings.flow)
        edge = smoothstep(0.4, 1.6, blur(gradient(painted[..., 0]), 1.0)) * (1 - self._face)
        edge = edge * smoothstep(0.3, 0.7, along.anisotropy)
        calmed: Map = painted + edge[..., None] * (1 - accents) * (calmer - painted)
        return calmed

    def _stands_out(self, painted: Map) -> Map:
        return detail_map(self._fine[..., 0], painted[..., 0], self._texture, self._foliage)

    def _flatten(self, painted: Map, tones: Map, settings: CelSettings) -> Map:
        """Replace soft shading by the tones, but where it is wide, a face, or detail."""
        wide = self._wide * settings.gradient
        flat = settings.flatness * (1 - wide) * (1 - 0.85 * self._kept)
        back = self._stands_out(tones) * settings.detail
        flat = (flat * (1 - back))[..., None]
        soft = np.where(wide[..., None] > 0, cv2.bilateralFilter(painted, 9, 6, 4), painted)
        picture: Map = soft + flat * (tones - soft)
        # One small brush over all seams: what is soft by now was not meant to be.
        crisp = anisotropic_kuwahara(picture, edge_tangent_flow(picture[..., 0], 1.5), 2.0)
        seams = (1 - wide) * (1 - self._kept) * (1 - back)
        picture = picture + seams[..., None] * (crisp - picture)
        if self._faces and settings.skin:
            picture = two_tone_skin(picture, self._fine, self._faces, settings.skin)
        return picture

    def _draw_lines(self, painted: Map, tones: Map, settings: CelSettings) -> Map:
        flow = edge_tangent_flow(painted[..., 0], 2.0)
        lines = flow_lines(
            painted[..., 0],
            flow,
            width=settings.line_width,
            level=settings.line_level,
            slope=settings.line_slope,
            along=settings.line_flow,
        )
        density = blur(lines, 8.0)
        crowd = np.clip((density - 0.1) / 0.2, 0, 1) * settings.crowding
        # A line that parts nothing is a fold where it stands alone, and fur where there are many.
        alone = 0.25 * (1 - np.clip((density - 0.03) / 0.06, 0, 1) * settings.crowding)
        contour = salience(self._lab, tones, flow)
        lines = without_short_strokes(lines, settings.line_length) * (alone + (1 - alone) * contour)
        lines = lines * (1 - crowd) * (1 - 0.9 * self._texture) * (1 - 0.7 * self._inner)
        # A stroke is drawn whole or not at all: faint ones look like dirt.
        lines = smoothstep(0.12, 0.42, 1.2 * blur(lines, 0.5))
        return without_short_strokes(lines, settings.line_length)  # what was cut to pieces


def lay_out(painted: Map, settings: CelSettings, busy: Map) -> Map:
    """Regions of one tone, smaller where it is busy; borders drawn anew by a small brush."""
    tones = tone_regions(painted, settings.merge, settings.shade, busy)
    borders = edge_tangent_flow(blur(tones[..., 0], 1.0), 2.5)
    straight = smoothstep(0.3, 0.8, borders.anisotropy)[..., None]
    tones = tones + straight * (smooth_along(tones, borders, 2.5) - tones)
    return anisotropic_kuwahara(tones, borders, 2.0)


def colour(picture: Map, lines: Map, face: Map, settings: CelSettings) -> Pixels:
    """Grade, ink and print a painted picture: CIELAB to uint8 RGB.

    Args:
        face: 1 where a wash is thicker and contrast spares: a face must not lose its eyes.
    """
    lab = picture.copy()
    if settings.dodge:
        lab[..., 0] = even_out(lab[..., 0], settings.dodge)
    lab[..., 1:] *= enliven(lab, settings.vividness)[..., None]
    if settings.wash != 1:
        lab = thin_paint(lab, 1 + (settings.wash - 1) * (1 - 0.5 * blur(face, 8.0)))
    rgb: Map = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) ** settings.gamma
    if settings.contrast:
        spared = 0.07 * settings.contrast * blur(face, 4.0)[..., None]
        rgb = s_curve(rgb ** (1 - spared), settings.contrast)  # eyes show on paper, not in the dark
    if settings.bins:
        lab = few_lightnesses(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), settings.bins)
        rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1)
    ink = lines[..., None] * settings.ink
    line_colour = np.array(settings.line_colour, np.float32)
    darkened = settings.line_tone * rgb * rgb + (1 - settings.line_tone) * line_colour
    rgb = rgb + ink * (darkened - rgb)
    black, paper = (np.array(c, np.float32) for c in (settings.black, settings.paper))
    printed: Pixels = np.clip((black + rgb * (paper - black)) * 255 + 0.5, 0, 255).astype(np.uint8)
    return printed


def even_out(light: Map, share: float) -> Map:
    """Dodge and burn: L + share (60 - its mean nearby), a Gaussian of 24 pixels.

    A dark photo does not fill with ink, and a bright one keeps its shapes.
    """
    evened: Map = np.clip(light + share * (60 - blur(light, 24.0)), 0, 100)
    return evened


def enliven(lab: Map, vividness: float) -> Map:
    """The factor on chroma C: v; above 1 only where colours are dull, falling to 1 at C = 110.

    Vivid colours have no more to give: the screen would cut a channel, and gold turn lemon.
    """
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    if vividness <= 1:
        return np.full_like(chroma, vividness)
    return 1 + (vividness - 1) * (1 - np.minimum(chroma / 110, 1) ** 2)


def s_curve(values: Map, steepness: float) -> Map:
    """tanh(c (v - 1/2)), scaled so that 0, 1/2 and 1 stay."""
    curve: Map = 0.5 + 0.5 * np.tanh(steepness * (values - 0.5)) / math.tanh(steepness / 2)
    return curve


def thin_paint(lab: Map, wash: Map) -> Map:
    """Let paper shine through: 1 - L becomes (1 - L)^wash, L in [0, 1], and hues stay.

    Light tones become paper, dark ones stay. Chroma fades as the 0.3rd power of what 1 - L does:
    with all of it, skies would be gone.
    """
    depth = np.clip(1 - lab[..., 0] / 100, 1e-3, 1)
    thinned = depth**wash
    fade = (thinned / depth) ** 0.3
    return np.dstack([100 * (1 - thinned), lab[..., 1] * fade, lab[..., 2] * fade])


def detail_map(photo: Map, painted: Map, texture: Map, foliage: Map, accent: float = 9.0) -> Map:
    """Where fine detail stands out from what was painted over: eyes, letters; not leaves.

    Args:
        photo, painted: lightness.
        texture: 1 where fine detail is fur or leaves; there it is dropped where it crowds,
        foliage: 1 in the midst of wide texture: there however strong it is.
        accent: L units; a difference of this much is kept whole, of half of it not at all, and
            one of 20 also where it crowds: twigs, spokes, small print.
    """
    # In the dark less stands out as much (Weber).
    lost = blur(np.abs(photo - painted), 1.0) * (60 / (25 + np.clip(blur(photo, 3.0), 5, 50)))
    found = np.clip(2 * lost / accent - 1, 0, 1)
    weak = np.maximum(smoothstep(20.0, 8.0, lost), foliage)
    crowded = np.clip((blur(found, 8.0) - 0.15) / 0.2, 0, 1) * weak
    return (found * (1 - crowded * (0.25 + 0.75 * texture))).astype(np.float32)


def salience(photo: Map, tones: Map, flow: Flow) -> Map:
    """0 where a line is no contour, 1 where it is one.

    A contour parts two tones (both sides of a hair have one), at once: what takes more than a few
    pixels from one side to the other is a cloud's rim, or out of focus. And it parts them still
    further away: strands of hair, ripples and blades of grass do not.

    Args:
        photo, tones: CIELAB, as it was and as it is laid out.
    """
    near = _across(tones, flow, 4.0)
    parted = smoothstep(3.0, 10.0, _length(near))
    far = (near * _across(tones, flow, 9.0)).sum(axis=2) / (_length(near) + 1.0)
    sudden = _length(_across(photo, flow, 1.5)) / (_length(_across(photo, flow, 5.0)) + 2.0)
    sudden = smoothstep(0.35, 0.65, blur(sudden, 1.0))
    return blur(parted * smoothstep(0.0, 6.0, blur(far, 1.5)) * sudden, 1.0)


def _across(lab: Map, flow: Flow, reach: float) -> Map:
    """The colour at `reach` pixels on one side of an edge less that on the other, (H, W, 3)."""
    x, y = grid(lab.shape)
    dx, dy = -reach * flow.y, reach * flow.x
    sides: Map = sample(lab, x + dx, y + dy) - sample(lab, x - dx, y - dy)
    return sides


def _length(colours: Map) -> Map:
    length: Map = np.sqrt((colours * colours).sum(axis=2))
    return length


def without_short_strokes(lines: Map, shortest: float) -> Map:
    """Fade connected strokes that are shorter than this, in pixels: dashes on grass and water."""
    solid = (lines > 0.25).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = smoothstep(0.6 * shortest, 1.2 * shortest, length.astype(np.float32))
    keep[0] = 0  # what belongs to no stroke goes with the strokes beside it
    wide = cv2.dilate(keep[labels], np.ones((5, 5), np.uint8))
    return lines * wide
