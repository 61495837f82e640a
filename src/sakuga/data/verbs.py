"""`sakuga prepare ...`: one short handler a verb, each importing what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from sakuga.data.outcome import USUALLY, Told, print_values, run
from sakuga.data.wanted import Limits, WantedDrawings, WantedPhotos, Words
from sakuga.extras import need

prepare_app = App(
    name="prepare",
    help="Photos and drawings into training data.",
    default_parameter=Parameter(negative=()),
)


_PHOTOS, _DRAWINGS, _POLITE = WantedPhotos(), WantedDrawings(), Limits()


@prepare_app.command
def coco(
    out: Path,
    *,
    wanted: Annotated[WantedPhotos, Parameter(name="*")] = _PHOTOS,
    annotations: Path | None = None,
    images: Path | None = None,
    base_url: str | None = None,
    limits: Annotated[Limits, Parameter(name="*")] = _POLITE,
    told: Told = USUALLY,
) -> int:
    """Download photos of MS-COCO, by what they show.

    Example:  sakuga prepare coco photos --categories person dog --limit 2000

    Parameters
    ----------
    out
        Folder for the photos and their manifest; an interrupted run goes on where it stopped.
    annotations
        A local instances_*.json; otherwise it is downloaded.
    images
        A local folder of the split's photos; otherwise they are downloaded.
    base_url
        A mirror of COCO's server.
    """
    _need("coco", "urllib3")
    from sakuga.data import coco as source

    return run(
        "Downloading photos",
        lambda progress: source.prepare(
            out,
            wanted,
            annotations=annotations,
            images=images,
            base_url=(base_url or source.BASE_URL).rstrip("/"),
            limits=limits,
            progress=progress,
        ),
        told=told,
    )


@prepare_app.command
def safebooru(
    out: Path,
    *,
    csv: Path | None = None,
    wanted: Annotated[WantedDrawings, Parameter(name="*")] = _DRAWINGS,
    limits: Annotated[Limits, Parameter(name="*")] = _POLITE,
    told: Told = USUALLY,
) -> int:
    """Download drawings of Safebooru, by the Kaggle set alamson/safebooru.

    Example:  sakuga prepare safebooru drawings --csv all_data.csv --tags scenery --limit 3000

    Parameters
    ----------
    out
        Folder for the drawings and their manifest; an interrupted run goes on where it stopped.
    csv
        The set's all_data.csv; otherwise kagglehub downloads it.
    """
    _need("safebooru", "urllib3")
    from sakuga.data import safebooru as source

    return run(
        "Downloading drawings",
        lambda progress: source.prepare(
            out, wanted, csv_file=csv, limits=limits, progress=progress
        ),
        told=told,
    )


@prepare_app.command(usage="sakuga prepare frames [OPTIONS] FILMS... OUT")
def frames(*paths: Path, limit: int | None = None, every: float = 1.0, told: Told = USUALLY) -> int:
    """Take distinct, sharp frames out of films and clips that you own.

    Example:  sakuga prepare frames film.mkv trailer.mp4 drawings --limit 2000

    Parameters
    ----------
    paths
        The films, and last the folder for the frames.
    limit
        How many frames in all, spread evenly.
    every
        Seconds: at most one frame in each.
    """
    _need("frames", "cv2")
    from sakuga.data.frames import extract_frames
    from sakuga.errors import OptionError

    if len(paths) < 2:
        raise OptionError("name the films and then the folder for their frames")
    *films, out = paths
    return run(
        "Choosing frames",
        lambda progress: extract_frames(films, out, limit=limit, every=every, progress=progress),
        told=told,
        failed=lambda outcome: bool(outcome.rejects),  # a whole film
    )


@prepare_app.command
def clean(
    folder: Path,
    out: Path,
    *,
    min_side: int = 256,
    workers: int | None = None,
    told: Told = USUALLY,
) -> int:
    """Copy what is fit to train on: no broken, tiny, gray or double pictures.

    Example:  sakuga prepare clean downloads drawings

    Parameters
    ----------
    folder
        Pictures of any kind, also in sub-folders; it is not changed.
    out
        Folder for the good ones; OUT/rejected.jsonl lists the others with the reason.
    min_side
        Shortest side, pixels.
    workers
        Processes; otherwise one a core.
    """
    _need("clean", "cv2")
    from sakuga.data.clean import clean_folder

    return run(
        "Looking at pictures",
        lambda progress: clean_folder(
            folder, out, min_side=min_side, workers=workers, progress=progress
        ),
        told=told,
        failed=lambda outcome: False,
    )


@prepare_app.command
def smooth(folder: Path, out: Path, *, workers: int | None = None, told: Told = USUALLY) -> int:
    """Store copies of drawings whose lines are blurred, as CartoonGAN learns from.

    Training makes these copies by itself; this is to look at them, or for other programs.

    Example:  sakuga prepare smooth drawings drawings-smooth

    Parameters
    ----------
    folder
        Drawings, also in sub-folders.
    out
        Folder for the copies, PNG files of the same names.
    workers
        Processes; otherwise one a core.
    """
    _need("smooth", "cv2")
    from sakuga.data.smooth import smooth_folder

    return run(
        "Smoothing lines",
        lambda progress: smooth_folder(folder, out, workers=workers, progress=progress),
        told=told,
    )


@prepare_app.command
def cel(
    photos: Path,
    out: Path,
    *,
    config: str | None = None,
    set: Words = (),
    sides: tuple[int, int] = (232, 448),
    limit: int | None = None,
    workers: int | None = None,
    told: Told = USUALLY,
) -> int:
    """Paint photos as a style should learn to paint, and store the pairs to train on.

    A pair is one picture: the photo, its drawing, its strokes. Photos held out for evaluation are
    left out. For one photo, OUT is the drawing itself: to try settings in seconds.

    Example:  sakuga prepare cel photos pairs --config mine.toml

    Parameters
    ----------
    photos
        A folder of photos, also in sub-folders, or one photo.
    out
        Folder for the pairs, an interrupted run goes on; for one photo, the picture to write.
    config
        A recipe's name or TOML whose table [cel] has the painter's settings; train takes it too.
    set
        Single settings, for example: --set line_width=1.3 merge=8
    sides
        Pixels; each photo's short side is scaled to a size between these.
    limit
        How many photos; a random sample.
    workers
        Processes; otherwise one a core.
    """
    _need("cel", "cv2")
    from sakuga.cel.settings import load_settings
    from sakuga.data import pairs

    settings = load_settings(config, set)
    if photos.is_file():
        from sakuga.images.picture import Frame, Picture
        from sakuga.images.write import write_picture
        from sakuga.paths import never_replace

        never_replace(out, photos)
        drawing = pairs.paint_file(photos, settings)
        write_picture(Picture((Frame(drawing),)), out)
        print_values({"drawing": str(out)}, f"painted: {out}", as_json=told.json)
        return 0
    return run(
        "Painting",
        lambda progress: pairs.prepare_pairs(
            photos,
            out,
            settings,
            sides=sides,
            limit=limit,
            workers=workers,
            progress=progress,
        ),
        told=told,
        failed=lambda outcome: False,
    )


@prepare_app.command
def shards(folder: Path, out: Path, *, shard_mb: float = 64.0, told: Told = USUALLY) -> int:
    """Pack a folder into tar files (WebDataset), shuffled, for large sets.

    Example:  sakuga prepare shards drawings drawings-shards

    Parameters
    ----------
    folder
        Pictures, also in sub-folders, with or without a manifest.
    out
        Folder for shard-000000.tar and so on.
    shard_mb
        Size of a shard, megabytes.
    """
    from sakuga.data.shards import write_shards

    return run(
        "Packing",
        lambda progress: write_shards(folder, out, shard_mb, progress),
        told=told,
    )


@prepare_app.command
def show(folder: Path, *, out: Path | None = None, json: bool = False) -> int:
    """Draw a contact sheet of a set, and sum it up.

    Example:  sakuga prepare show drawings

    Parameters
    ----------
    folder
        A folder of pictures or shards, or a tar file.
    out
        The sheet; otherwise FOLDER-sheet.png beside the folder.
    json
        Print the summary as JSON.
    """
    _need("show", "cv2")
    from sakuga.data.show import as_text, show_set

    summary = show_set(folder, out or folder.with_name(folder.name + "-sheet.png"))
    print_values(summary, as_text(summary), as_json=json)
    return 0


def _need(verb: str, module: str) -> None:
    need(f"sakuga prepare {verb}", "data", module)
