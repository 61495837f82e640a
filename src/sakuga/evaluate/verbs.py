"""`sakuga evaluate`: it imports what it needs when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.extras import need

Words = Annotated[
    tuple[str, ...], Parameter(name="--style", consume_multiple=True, show_default=False)
]
Paths = Annotated[tuple[Path, ...], Parameter(consume_multiple=True, show_default=False)]


@dataclass(frozen=True)
class Request:
    """One call of `sakuga evaluate`; each field is an option of it.

    Parameters
    ----------
    styles
        Names or files of styles, or trainings' folders.
    results
        Folders of another system's finished pictures, named like the photos.
    photos
        Folder or tar file of photos.
    anime
        Folder or tar file of the drawings that results should look like.
    network
        Feature network: a .safetensors or .onnx file, or "inception" (downloaded, checked).
    held_out
        Which of the two to cut down to the pictures that training never sees.
    limit
        Take a sample of so many photos.
    view
        What the network looks at: whole pictures, or 256-pixel tiles (strokes and texture).
    video
        A clip to measure flicker on.
    max_side
        Pixels: larger photos are shrunk to this before they are painted.
    device
        Where styles and networks run.
    out
        The page; a .json of the same name is written beside it.
    cache
        Keep the features of photos and drawings for the next time.
    quiet
        No progress bars.
    """

    photos: Path
    anime: Path
    network: str = "inception"
    styles: Words = ()
    results: Paths = ()
    held_out: Literal["none", "photos", "anime", "both"] = "none"
    limit: int | None = None
    view: Literal["squares", "tiles"] = "squares"
    video: Path | None = None
    max_side: int = 768
    device: Literal["auto", "cpu", "cuda"] = "auto"
    out: Path = Path("evaluation.html")
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True
    quiet: bool = False


def evaluate(*, request: Annotated[Request, Parameter(name="*")], json: bool = False) -> int:
    """Measure styles against photos and drawings.

    The report has a table, plots and pictures.

    Example: sakuga evaluate --style novel storybook --photos photos/ --anime drawings.tar

    Parameters
    ----------
    json
        Print the measurements as JSON.
    """
    need("sakuga evaluate", "eval", "torch", "safetensors", "cv2", "jinja2")
    from sakuga.evaluate import command

    evaluation = command.evaluate(request)
    print(evaluation.to_json() if json else command.summary(evaluation, request.out))
    return 0
