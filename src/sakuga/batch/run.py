"""A batch from beginning to end: claim OUT, skip what is done, stream the rest through workers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

import sakuga
from sakuga.batch.cluster import (
    PAINTER_CPUS,
    TASK_CPUS,
    Cluster,
    check_address,
    check_nodes,
    joined,
)
from sakuga.batch.job import (
    FOLDERS,
    MANIFEST_FOLDER,
    STYLE_FILE,
    Job,
    Output,
    alone_in,
    claim,
    style_digest,
)
from sakuga.batch.manifest import Done, Manifest
from sakuga.batch.results import is_own_name, write_parquet, write_shard, write_tree
from sakuga.batch.source import Source, find_source
from sakuga.batch.stages import Painter, encode, read
from sakuga.batch.storage import Place, open_place
from sakuga.batch.summary import SHOWN_FAILURES, Summary
from sakuga.console import ProgressBar, explain_wait
from sakuga.errors import OptionError, SakugaError
from sakuga.images.marks import Mark
from sakuga.painting.options import PaintOptions
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import DEFAULT_STYLE, find
from sakuga.styles.session import Device

TASK_PICTURES = (4, 256)  # least and most that one task reads from a list or folder
LINE_EVERY_S = 60.0  # where there is no terminal for a bar
_WRITERS = {"tree": write_tree, "shards": write_shard, "parquet": write_parquet}


@dataclass(frozen=True)
class Options:
    """How a batch runs, as far as the results do not depend on it."""

    workers: int | None = None  # painters; None: one a GPU, or one a core
    device: Device = "auto"
    address: str | None = None  # of a Ray cluster; None: one is started here
    pictures_per_shard: int = 256  # of results in shards or Parquet files
    retry: bool = False  # try again what failed in an earlier run
    overwrite: bool = False  # throw away what another job left in OUT
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in ("workers", "pictures_per_shard"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name.replace('_', '-')} is {value}; it must be 1 or more")


def run_batch(
    source: str,
    out: str,
    *,
    style: str = DEFAULT_STYLE,
    painting: PaintOptions | None = None,
    file_format: str | None = None,
    output: Output = "tree",
    options: Options | None = None,
) -> Summary:
    """Paint all pictures of a folder, a list or shards into OUT, going on where a run ended.

    Args:
        source, out: paths, or URLs of object stores.
        style: a name, or the path of a style file.
        file_format: "png", "jpg", "webp" or "gif"; None: like each source.
        output: a tree of files, WebDataset shards, or Parquet files.

    Raises:
        SakugaError: one of its branches; what is painted by then is kept.
    """
    options = options or Options()
    started_s = time.monotonic()
    check_address(options.address)
    found = find(style)
    Stylizer(found, device="cpu")  # a damaged graph is found here, not by a hundred workers
    origin, target = find_source(source), open_place(out)
    _check_apart(origin.root, target)
    content, digest = style_digest(found)
    job = Job(
        source=origin.root.name,
        style=found.spec.name,
        style_version=found.spec.version,
        style_sha256=digest,
        painting=painting or PaintOptions(),
        file_format=file_format,
        output=output,
    )
    with alone_in(target):
        claim(target, job, content, overwrite=options.overwrite)
        summary = _go_on(origin, target, job, options)
    summary.elapsed_s = time.monotonic() - started_s
    return summary


def _go_on(origin: Source, target: Place, job: Job, options: Options) -> Summary:
    """Do what is left of a job whose place is claimed."""
    manifest = Manifest(target.child(MANIFEST_FOLDER))
    manifest.merge()
    if options.retry:
        manifest.forget_failures()
    _delete_orphans(target, job, manifest)
    done = manifest.load()
    summary = Summary(out=target.name, before=len(done.keys))
    try:
        _paint(origin, target, job, done, manifest, options, summary)
    finally:
        manifest.flush()
    manifest.merge()
    _delete_orphans(target, job, manifest)
    summary.failures = manifest.failures(SHOWN_FAILURES)
    return summary


def _paint(
    origin: Source,
    target: Place,
    job: Job,
    done: Done,
    manifest: Manifest,
    options: Options,
    summary: Summary,
) -> None:
    """Stream window after window through the cluster, which is started if there is work."""
    windows = _pending(origin, done)
    window = next(windows, None)
    if window is None:
        return
    with (
        joined(options.address, options.workers, options.device, quiet=options.quiet) as cluster,
        ProgressBar("Painting", None, quiet=options.quiet, line_every_s=LINE_EVERY_S) as bar,
    ):
        with explain_wait("the machines of the cluster to answer", quiet=options.quiet):
            check_nodes([origin.root, target])
        began_s, total = time.monotonic(), None
        while window is not None:
            following = next(windows, None)
            if following is None and origin.kind != "shards":
                total = summary.done + len(window)
            for rows in _stream(window, origin, target, job, options, cluster):
                manifest.add(rows)
                counts = Counter(rows["status"].to_pylist())
                summary.failed += counts["failed"]
                summary.painted += counts["painted"]
                summary.left_out += counts["left out"]
                note = summary.note(time.monotonic() - began_s)
                bar.update(summary.done, note, total)
            window = following


def _pending(origin: Source, done: Done) -> Iterator[pa.Table]:
    for window in origin.windows():
        rest = done.pending(window, shards=origin.kind == "shards")
        if len(rest):
            yield rest


def _stream(
    window: pa.Table,
    origin: Source,
    target: Place,
    job: Job,
    options: Options,
    cluster: Cluster,
) -> Iterator[pa.Table]:
    """Read, paint and write the tasks of a window; gives rows of the manifest as they come.

    Raises:
        SakugaError: as a worker raised it.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.raise_original_map_exception = True
    context.target_max_block_size = cluster.block_bytes
    least, most = TASK_PICTURES
    size = min(max(len(window) // (16 * cluster.painters), least), most)
    if origin.kind == "shards":
        size = 1
    whole: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow"}
    grouped = whole if job.output == "tree" else {**whole, "batch_size": options.pictures_per_shard}
    # Stages that ask for the same are run as one; packing must wait for many pictures, so it asks
    # for more, else whole pictures would wait in memory, and not their files.
    writer_cpus = TASK_CPUS if job.output == "tree" else 2 * TASK_CPUS
    tasks = [window.slice(start, size) for start in range(0, len(window), size)]
    rows = (
        ray.data.from_arrow(tasks)
        .map_batches(
            partial(read, source=origin, max_side=job.painting.max_side),
            num_cpus=TASK_CPUS,
            **whole,
        )
        .map_batches(
            Painter,
            fn_constructor_args=(
                target.child(STYLE_FILE),
                job.painting,
                options.device,
                1,
                sakuga.__version__,
            ),
            compute=ActorPoolStrategy(size=min(cluster.painters, len(tasks))),
            num_cpus=PAINTER_CPUS,
            num_gpus=cluster.gpus_each,
            **whole,
        )
        .map_batches(
            partial(
                encode,
                file_format=job.file_format,
                style=job.style,
                version=job.style_version,
                mark=Mark(
                    style=f"{job.style} {job.style_version}",
                    weights=job.style_sha256[:12],
                    options=job.painting.unusual(),
                ),
            ),
            num_cpus=TASK_CPUS,
            **whole,
        )
        .map_batches(partial(_WRITERS[job.output], out=target), num_cpus=writer_cpus, **grouped)
    )
    try:
        yield from rows.iter_batches(**whole)
    except ray.exceptions.RayTaskError as error:
        # Ray's own class inherits from the error's, with the worker's stack as its text.
        cause = error.cause
        raise cause if isinstance(cause, SakugaError) else error from None


def _check_apart(source: Place, out: Place) -> None:
    """Refuse an OUT in which the input lies, or that lies in the input."""
    inside = f"{out.path}/".startswith(f"{source.path}/")
    around = f"{source.path}/".startswith(f"{out.path}/")
    if source.filesystem.equals(out.filesystem) and (inside or around):
        raise OptionError(f"{out.name}: OUT and the input lie in each other; choose another OUT")


def _delete_orphans(out: Place, job: Job, manifest: Manifest) -> None:
    """Delete shards that no row of the manifest names: a killed run wrote them last.

    Their pictures are painted again. A file of a tree is simply replaced then.
    """
    if job.output == "tree":
        return
    folder = FOLDERS[job.output]
    known = manifest.results()
    for name in out.child(folder).names():
        if is_own_name(name) and f"{folder}/{name}" not in known:
            out.child(folder).child(name).delete()
