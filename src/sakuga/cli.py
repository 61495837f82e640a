"""The command line: one short handler a verb, each importing what it needs when it runs."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter, Token

from sakuga import console
from sakuga.data.command import prepare_app
from sakuga.errors import SakugaError, one_line
from sakuga.video.options import VideoOptions, parse_rate, parse_time

PAINTING = Group.create_ordered("Painting")
VIDEO = Group("Video", sort_key=100)
TRAINING = Group.create_ordered("Training a style")


def _version() -> str:
    from importlib.metadata import version

    return version("sakuga")


app = App(
    name="sakuga",
    help="Photos and videos into anime pictures.",
    version=_version,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
styles_app = App(name="styles", help="List, show, add and remove styles.", group=PAINTING)
app.command(styles_app)
prepare_app.group = (TRAINING,)
app.command(prepare_app)


def _time(_: object, tokens: Sequence[Token]) -> Fraction:
    return parse_time(tokens[0].value)


def _rate(_: object, tokens: Sequence[Token]) -> Fraction:
    return parse_rate(tokens[0].value)


@dataclass(frozen=True)
class ClipOptions(VideoOptions):
    start: Annotated[Fraction | None, Parameter(name="--from", converter=_time)] = None
    stop: Annotated[Fraction | None, Parameter(name="--to", converter=_time)] = None
    fps: Annotated[Fraction | None, Parameter(converter=_rate)] = None
    steady: Annotated[bool, Parameter(negative="--no-steady")] = True
    segment_frames: Annotated[int, Parameter(parse=False)] = 240
    fragmented: Annotated[bool, Parameter(parse=False)] = False


ClipOptions.__doc__ = VideoOptions.__doc__  # where the help of each is written

Device = Literal["auto", "cpu", "cuda"]
Stroke = int | Literal["auto", "fine", "bold"]


@app.command(group=PAINTING)
def paint(
    *inputs: Annotated[str, Parameter(allow_leading_hyphen=True)],  # '-' is stdin
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], allow_leading_hyphen=True)] = None,
    style: Annotated[str, Parameter(name=["--style", "-s"])] = "novel",
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    format: Literal["png", "jpg", "webp", "gif", "mp4", "mov", "mkv", "webm"] | None = None,
    overwrite: bool = False,
    tile: int | Literal["auto", "none"] = "auto",
    device: Device = "auto",
    threads: int | None = None,
    quiet: bool = False,
    json: bool = False,
    video: Annotated[ClipOptions | None, Parameter(name="*", group=VIDEO)] = None,
) -> int:
    """Paint pictures, folders and videos.

    Example:  sakuga paint photo.jpg holiday/ --style novel

    Parameters
    ----------
    inputs
        Pictures, folders, patterns, videos, addresses (http, https), webcam, or - for stdin.
    out
        File, or folder in which they keep their names; otherwise PHOTO-STYLE.EXT, FOLDER-STYLE/.
    style
        A name (`sakuga styles`), a file, a training's folder; or a mixture, novel:0.6+mine.onnx:0.4
    strength
        From 0, the photo, to 1, the style.
    keep_colour
        Keep the photo's colours; lines and lightness are the style's.
    max_side
        Shrink larger pictures to this many pixels first.
    stroke
        Weight of strokes in large photos: auto, fine, bold, or the longer side to paint at.
    format
        Format of the results; otherwise that of the photo.
    overwrite
        Paint again what is there already, instead of skipping it.
    tile
        Side of the tiles that large pictures are painted in, pixels.
    device
        Where to compute.
    threads
        How many threads to compute with; otherwise one a core.
    quiet
        Show no progress and no summary.
    json
        Print what was done as JSON.
    """
    from sakuga.convert.runs import style_of
    from sakuga.inputs.jobs import check_tile, paint_inputs
    from sakuga.painting.mixture import open_stylizer
    from sakuga.painting.pictures import Look

    look = Look(strength, keep_colour, max_side, stroke)
    check_tile(tile)
    stylizer = open_stylizer(style_of(style), device=device, threads=threads, tile=tile)
    return paint_inputs(
        inputs,
        stylizer,
        look,
        out=out,
        file_format=format,
        overwrite=overwrite,
        quiet=quiet,
        as_json=json,
        video=video,
    )


@app.command(group=PAINTING)
def compare(
    *photos: str,
    styles: Annotated[list[str], Parameter(consume_multiple=True)],
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("comparison.png"),
    side: int = 512,
    quality: int | None = None,
    overwrite: bool = False,
) -> int:
    """Draw a sheet of photos, each beside itself in several styles, or a strip of each.

    Example:  sakuga compare cat.jpg street.jpg --styles novel storybook --out sheet.png

    Parameters
    ----------
    photos
        Pictures, folders, patterns or addresses; a row each.
    styles
        Names of styles or style files, a column each.
    out
        The sheet; PNG, JPEG or WebP by its suffix. A folder: in it a JPEG for each photo.
    side
        Longer side of a picture on the sheet, pixels. Photos are painted at that size.
    quality
        Of a JPEG or WebP, 1 to 100; otherwise so good that no loss is seen.
    overwrite
        Replace sheets that are there.
    """
    from sakuga.convert.runs import style_of
    from sakuga.inputs.compare import draw_comparison

    styles = [style_of(style) for style in styles]
    errors = draw_comparison(photos, styles, out, side=side, quality=quality, overwrite=overwrite)
    for error in errors:
        console.tell(f"sakuga: {one_line(error)}")
    return 1 if errors else 0


@styles_app.default
def list_styles(*, json: bool = False) -> None:
    """List the styles that a name finds.

    Parameters
    ----------
    json
        Print all that is known of them as JSON.
    """
    from sakuga.styles.listing import print_styles

    print_styles(as_json=json)


@styles_app.command(name="show")
def show_style(style: str, *, json: bool = False) -> None:
    """Show all that is known of a style.

    Parameters
    ----------
    style
        A style's name, or a style file.
    json
        Print it as JSON.
    """
    from sakuga.styles.listing import print_style

    print_style(style, as_json=json)


@styles_app.command(name="add")
def add_style(source: str, *, sha256: str | None = None, index: str | None = None) -> None:
    """Add a style from a file, an address or an index, so that its name finds it.

    Example:  sakuga styles add https://example.org/ink.onnx --sha256 0f3c...

    Parameters
    ----------
    source
        A style file or the address of one; with --index, a name in it.
    sha256
        The sum of the file, or of the index; needed for what comes from the network.
    index
        File or address of a list of styles, as `sakuga styles index` writes it.
    """
    from sakuga.styles import sharing

    if index is None:
        style = sharing.add_style(source, sha256)
    else:
        style = sharing.add_from_index(source, index, sha256)
    print(f"added {style.spec.name}; use it with --style {style.spec.name}")


@styles_app.command(name="index")
def index_styles(*files: Path, out: Path = Path("styles.json")) -> None:
    """Write a list of style files with their sums, to share them under one sum.

    Example:  sakuga styles index ink.onnx wash.onnx --out styles.json

    Parameters
    ----------
    files
        Style files; they and the list lie in one folder, here and where they are shared.
    out
        The list.
    """
    from sakuga.styles.sharing import write_index

    print(f"{out}: sha256 {write_index(files, out)}")


@styles_app.command(name="remove")
def remove_style(name: str) -> None:
    """Delete a style that was added.

    Parameters
    ----------
    name
        The style's name.
    """
    from sakuga.styles import remove

    print(f"removed {remove(name)}")


@app.command(group=PAINTING)
def batch(
    source: Annotated[str, Parameter(name="IN")],
    out: str,
    *,
    style: Annotated[str, Parameter(name=["--style", "-s"])] = "novel",
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    format: Literal["png", "jpg", "webp", "gif"] | None = None,
    output: Literal["tree", "shards", "parquet"] = "tree",
    pictures_per_shard: int = 256,
    workers: int | None = None,
    device: Device = "auto",
    address: str | None = None,
    retry: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Paint millions of pictures, on all cores, or on the machines of a Ray cluster.

    Run it again after a crash: it goes on where it ended.

    Example:  sakuga batch photos/ painted/ --style novel

    Parameters
    ----------
    source
        A folder, a list (.jsonl, .csv, .parquet), a .tar shard or a folder of them; path or URL.
    out
        A folder, or the URL of one: results, and a manifest of what became of every picture.
    style
        A style's name, or a style file.
    strength
        From 0, the photo, to 1, the style.
    keep_colour
        Keep the photo's colours.
    max_side
        Shrink larger pictures to this many pixels first.
    stroke
        Weight of strokes in large photos: auto, fine, bold, or the longer side to paint at.
    format
        Format of the results; otherwise that of each source.
    output
        A tree of files, WebDataset shards, or Parquet files.
    pictures_per_shard
        How many results go into one shard or Parquet file.
    workers
        How many painters; otherwise one a GPU, or one a core.
    device
        Where to compute.
    address
        A Ray cluster to join, HOST:PORT or auto; otherwise this machine alone.
    retry
        Try again what failed in an earlier run.
    overwrite
        Throw away what another style or choice left in OUT.
    quiet
        Show no progress and no summary.
    json
        Print what was done as JSON.
    """
    from sakuga.extras import need

    need("sakuga batch", "batch", "ray", "pyarrow", "fsspec")
    from sakuga.batch.run import Options, run_batch
    from sakuga.painting.pictures import Look

    summary = run_batch(
        source,
        out,
        style=style,
        look=Look(strength, keep_colour, max_side, stroke),
        file_format=format,
        output=output,
        options=Options(workers, device, address, pictures_per_shard, retry, overwrite, quiet),
    )
    return summary.tell(as_json=json, quiet=quiet)


@app.command(group=PAINTING)
def doctor(*, json: bool = False) -> int:
    """Print versions, providers, devices and styles, and test that painting works.

    Parameters
    ----------
    json
        Print it as JSON.
    """
    from sakuga.doctor import print_report

    return print_report(as_json=json)


@app.command(group=TRAINING)
def design(
    *photos: Path,
    port: int = 8000,
    open: Annotated[bool, Parameter(negative="--no-open")] = True,
) -> None:
    """Design a style in the browser: the painter's settings as sliders, on photos of your own.

    Example:  sakuga design holiday/*.jpg

    Parameters
    ----------
    photos
        Pictures and folders; without any there is an example.
    port
        Port to listen at; only this machine can reach it.
    open
        Show the page in the browser.
    """
    from sakuga.extras import need

    need("sakuga design", "data", "cv2")
    from sakuga.web.design import photos_in
    from sakuga.web.server import serve as serve_until_stopped
    from sakuga.web.settings import Settings

    settings = Settings(port=port, first_page="design", photos=photos_in(photos))
    serve_until_stopped(settings, open_page=open)


@app.command(group=TRAINING)
def train(
    config: str | None = None,
    *,
    set: Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    run: Path | None = None,
    resume: Path | None = None,
    start_from: str | None = None,
    minutes: float | None = None,
    keep: int = 5,
    dry_run: bool = False,
    devices: int | Literal["auto"] = "auto",
    nodes: int = 1,
    accelerator: Literal["auto", "cpu", "cuda"] = "auto",
    quiet: bool = False,
) -> None:
    """Train a style from photos and drawings.

    Example:  sakuga train novel --set pairs=pairs --minutes 60

    Parameters
    ----------
    config
        A recipe (novel, storybook, manga, cartoongan, smoke), or a TOML file of settings.
    set
        KEY=VALUE: settings to change.
    run
        Folder for the checkpoint, log and contact sheets; otherwise runs/NAME.
    resume
        Folder of a run to go on with, exactly as if it had never stopped.
    start_from
        A run, checkpoint, style or CartoonGAN weights whose generator to start from (fine-tuning).
    minutes
        Time to take from now on: a step is measured, and the schedule fitted to it.
    keep
        Checkpoints of so many last sheets stay in RUN/checkpoints, and the best; 0: none.
    dry_run
        Print the settings and the plan, and train nothing.
    devices
        How many devices of a machine to train on.
    nodes
        How many machines to train on.
    accelerator
        Where to train.
    quiet
        Tell nothing on the way.
    """
    from sakuga.extras import need

    modules = ("torch", "lightning_fabric", "safetensors", "cv2", "tensorboard", "onnx")
    need("sakuga train", "train", *modules, "onnxscript", "onnxslim")
    from sakuga.train.command import Request, run_training

    run_folder = run_training(
        Request(
            config=config,
            overrides=set,
            run=run,
            resume=resume,
            start_from=start_from,
            minutes=minutes,
            keep=keep,
            dry_run=dry_run,
            devices=devices,
            nodes=nodes,
            accelerator=accelerator,
            quiet=quiet,
        )
    )
    if run_folder is not None:
        from sakuga.convert.onnx_export import export_run

        style = export_run(run_folder)
        if not quiet:
            print(f"to paint with it: sakuga paint photo.jpg --style {style}")


@app.command(group=TRAINING)
def export(
    source: str,
    out: Path,
    *,
    precision: Literal["fp16", "fp32", "int8"] = "fp16",
    calibrate: Path | None = None,
    page: Path | None = None,
) -> None:
    """Make a style file of a training, or turn a style into another form.

    Example:  sakuga export runs/mine mine.onnx

    Parameters
    ----------
    source
        A run's folder, or a checkpoint; or a style's name or file.
    out
        The style file, .onnx; or .safetensors for the tensors alone; or a page's folder.
    precision
        Of the weights: fp16 halves the file, int8 is faster where the processor has VNNI.
    calibrate
        Photos for int8, a folder or tar file; half of them measure what it costs.
    page
        A built page: OUT becomes one like it that paints in the browser, with this style.
    """
    from sakuga.extras import need

    need("sakuga export", "train", "onnx", "safetensors")
    from sakuga.convert import export as command

    print(command.export(source, out, precision, calibrate, page))
    if out.suffix == ".onnx":
        print(f"to use it: sakuga paint photo.jpg --style {out}")


@app.command(group=TRAINING)
def blend(
    first: str,
    second: str,
    out: Path,
    *,
    share: float = 0.5,
    strip: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, show_default=False)] = (),
) -> None:
    """Make a style between two of one architecture, by the mean of their weights.

    Example:  sakuga blend novel mine.onnx between.onnx --share 0.4 --strip photo.jpg

    Parameters
    ----------
    first
        A style's name or file.
    second
        Another, best one that was fine-tuned from the first.
    out
        The style file, .onnx.
    share
        Of the second style, from 0 to 1.
    strip
        Photos to draw from one style to the other, in steps, in a picture beside OUT.
    """
    from sakuga.extras import need

    need("sakuga blend", "train", "onnx")
    from sakuga.convert import export as command

    command.blend(first, second, out, share, strip)


@app.command(name="import-weights", group=TRAINING)
def import_weights(
    source: Path,
    out: Path,
    *,
    name: str | None = None,
    licence: str = "LicenseRef-unknown",
    credit: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    range: tuple[float, float] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    multiple: int | None = None,
    minimum_side: int | None = None,
    bgr: bool = False,
    overwrite: bool = False,
) -> None:
    """Make a style file of other people's weights, which stay theirs.

    Example:  sakuga import-weights Hayao_net_G_float.pth hayao.onnx

    Parameters
    ----------
    source
        CartoonGAN (.pth, .npy folder, light), AnimeGANv2 or v3, White-box, or any ONNX network.
    out
        The style file, .onnx.
    name
        The style's name; otherwise that of the file.
    licence
        The weights' licence, as an SPDX identifier.
    credit
        Whom to thank, a line; may be given more than once.
    range
        Least and greatest value that an ONNX network takes and gives: -1 1, 0 1 or 0 255.
    layout
        Order of an ONNX network's axes; otherwise as its file says.
    multiple
        Pixels: an ONNX network takes sizes that are multiples of this; otherwise tried out.
    minimum_side
        Pixels: an ONNX network takes pictures no smaller than this.
    bgr
        An ONNX network takes blue first.
    overwrite
        Replace a file that is there.
    """
    from sakuga.extras import need

    need("sakuga import-weights", "train", "torch", "onnx", "onnxscript", "onnxslim")
    from sakuga.convert import import_weights as command
    from sakuga.convert.foreign_onnx import Feeding

    spec = command.import_weights(
        source,
        out,
        Feeding(range, layout, multiple, minimum_side, bgr),
        command.Credits(name, licence, credit),
        overwrite=overwrite,
    )
    print(f"{out}: {spec.name}, {spec.description[0].lower()}{spec.description[1:]}")
    print(f"to use it: sakuga paint photo.jpg --style {out}")


@app.command(group=PAINTING)
def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: Annotated[str | None, Parameter(env_var="SAKUGA_TOKEN")] = None,
    allow_host: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    device: Device = "auto",
    threads: int | None = None,
    open: bool = False,
) -> None:
    """Paint in a browser: a page on this machine, and an HTTP API.

    Example:  sakuga serve --open

    Parameters
    ----------
    host
        Address to listen at; any but this machine's own needs a token.
    port
        Port to listen at.
    token
        Password that clients must show, 16 characters or more.
    allow_host
        Names under which a proxy makes the server known.
    device
        Where to compute.
    threads
        How many threads to compute a painting with; otherwise one a core.
    open
        Show the page in the browser.
    """
    from sakuga.web.server import serve as serve_until_stopped
    from sakuga.web.settings import Settings

    settings = Settings(host, port, token, allow_host, device, threads)
    serve_until_stopped(settings, open_page=open)


@app.command(group=TRAINING)
def evaluate(
    *,
    style: Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    results: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    photos: Path,
    anime: Path,
    network: str = "inception",
    held_out: Literal["none", "photos", "anime", "both"] = "none",
    limit: int | None = None,
    view: Literal["squares", "tiles"] = "squares",
    video: Path | None = None,
    max_side: int = 768,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    out: Path = Path("evaluation.html"),
    cache: Annotated[bool, Parameter(negative="--no-cache")] = True,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Measure styles against photos and drawings: a report with table, plots and pictures.

    Example: sakuga evaluate --style novel storybook --photos photos/ --anime drawings.tar

    Parameters
    ----------
    style
        Names or files of styles.
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
    json
        Print the measurements as JSON.
    quiet
        No progress bars.
    """
    from sakuga.extras import need

    need("sakuga evaluate", "eval", "torch", "safetensors", "cv2")
    from sakuga.evaluate import command

    request = command.Request(
        photos=photos,
        anime=anime,
        network=network,
        styles=style,
        results=results,
        held_out=held_out,
        limit=limit,
        view=view,
        video=video,
        max_side=max_side,
        device=device,
        out=out,
        cache=cache,
        quiet=quiet,
    )
    evaluation = command.evaluate(request)
    print(evaluation.to_json() if json else command.summary(evaluation, out))
    return 0


@app.command(group=TRAINING)
def tune(
    config: Path,
    *,
    out: Path = Path("runs/tune"),
    trials: int | None = None,
    set: Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)] = (),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    quiet: bool = False,
) -> int:
    """Search for good settings of a training by many short ones; the same command goes on later.

    Example: sakuga tune mine.toml --trials 40 --out runs/tune-mine

    Parameters
    ----------
    config
        TOML file of a training, whose [tune] table says what to search.
    out
        Folder of the search: its database, its runs, report.html and best.toml.
    trials
        In all, over all processes that share the folder; by default as the table says.
    set
        KEY=VALUE: fields of the training to change.
    device
        Where trials are trained.
    quiet
        No progress bars.
    """
    from sakuga.extras import need

    modules = ("optuna", "filelock", "torch", "lightning_fabric", "safetensors", "cv2")
    need("sakuga tune", "tune", *modules)
    from sakuga.tune import study

    found = study.tune(config, out, trials=trials, overrides=set, device=device, quiet=quiet)
    print(f"best: trial {found.best_trial.number}, score {found.best_value:.4f}")
    print(f"report: {out / 'report.html'}")
    print(f"to train with it: sakuga train {out / 'best.toml'}")
    return 0


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done. 1: done, but some inputs of a batch failed. 2: a mistake of the user, told in one line
    on stderr. 130: Ctrl-C. 141: whoever read the output went away.
    """
    try:
        status = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except (SakugaError, CycloptsError) as error:
        console.tell(f"sakuga: {one_line(error)}")
        return 2
    except KeyboardInterrupt:
        console.tell("sakuga: stopped")
        return 130
    except (console.ReaderGoneError, BrokenPipeError):
        return console.reader_gone()
    except OSError as error:
        if error.filename is None:
            raise
        # Somebody's file: a name that is too long, rights that are missing, a disk that is gone.
        reason = f"{error.filename}: {error.strerror}; check the path, and the rights there"
        console.tell(f"sakuga: {reason}")
        return 2
    return int(status or 0)


def _stop(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """The program `sakuga`. SIGTERM unwinds like an exception, so that temporary files go."""
    console.prepare()
    signal.signal(signal.SIGTERM, _stop)
    if not sys.warnoptions:  # what Pillow mends by itself, such as damaged metadata
        warnings.filterwarnings("ignore", module=r"PIL\.")
    sys.exit(run())
