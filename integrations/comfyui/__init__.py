"""A ComfyUI node that paints pictures as anime; all work is done by the package sakuga."""

from functools import lru_cache

import torch
from comfy.utils import ProgressBar

import sakuga

_stylizer = lru_cache(maxsize=2)(sakuga.Stylizer)  # a session keeps memory: the last two styles


class SakugaPaint:
    """Pictures in, the same pictures as anime out, in their size."""

    CATEGORY = "image/sakuga"
    DESCRIPTION = "Paints pictures as anime, on the CPU or GPU that onnxruntime finds."
    FUNCTION = "paint"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, tuple[object, ...]]]:
        """What the node is given; ComfyUI asks when it draws the node."""
        names = [style.spec.name for style in sakuga.styles.installed()]
        default = {"default": sakuga.styles.DEFAULT_STYLE}
        return {
            "required": {
                "image": ("IMAGE",),
                "style": (names, default),
                "strength": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05}),
                "keep_colour": ("BOOLEAN", {"default": False}),
                "stroke": (["auto", "fine", "bold"],),
            }
        }

    def paint(
        self, image: torch.Tensor, style: str, strength: float, keep_colour: bool, stroke: str
    ) -> tuple[torch.Tensor]:
        """Paint a batch, float (B, H, W, 3) in [0, 1], or (B, H, W, 4) with alpha, which stays.

        Raises:
            SakugaError: the style or the stroke is unknown; ComfyUI shows its sentence.
        """
        stylizer = _stylizer(style)
        anime = image.clone()
        progress = ProgressBar(len(image))
        for frame in anime:  # one by one: a clip in bytes as well would take much memory
            photo = (frame[..., :3].cpu().clamp(0, 1) * 255).round().to(torch.uint8)
            painted = stylizer(
                photo.contiguous().numpy(),
                strength=strength,
                keep_colour=keep_colour,
                stroke=stroke,
            )
            frame[..., :3] = torch.from_numpy(painted).to(frame.device, frame.dtype) / 255
            progress.update(1)  # ends the work here if Cancel was pressed
        return (anime,)


NODE_CLASS_MAPPINGS = {"SakugaPaint": SakugaPaint}
NODE_DISPLAY_NAME_MAPPINGS = {"SakugaPaint": "Sakuga: paint as anime"}
