"""A batch from beginning to end: claim OUT, skip what is done, stream the rest through workers."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
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
    BatchJob,
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
from sakuga.batch.verbs import Options
from sakuga.console import ProgressBar, explain_wait, tell
from sakuga.errors import OptionError, SakugaError
from sakuga.images.marks import Mark
from sakuga.painting.options import PaintOptions
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import DEFAULT_STYLE, find

TASK_PICTURES = (4, 256)  # least and most that one task reads from a list or folder
LINE_EVERY_S = 60.0  # where there is no terminal for a bar
_WRITERS = {"tree": write_tree, "shards": write_shard, "parquet": write_parquet}
SHOWN_FAILURES = 10


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
        source, out, style, output: as `sakuga batch` takes them.
        file_format: "png", "jpg", "webp" or "gif"; None: like each source.

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
    job = BatchJob(
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


def _go_on(origin: Source, target: Place, job: BatchJob, options: Options) -> Summary:
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
    job: BatchJob,
    done: Done,
    manifest: Manifest,
    options: Options,
    summary: Summary,
) -> None:
    """Stream window after window through the cluster, which is started if there is work."""
    shards = origin.kind == "shards"
    pending = (done.pending(window, shards=shards) for window in origin.windows())
    windows = (window for window in pending if len(window))
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
            if following is None and not shards:
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


def _stream(
    window: pa.Table,
    origin: Source,
    target: Place,
    job: BatchJob,
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


def _delete_orphans(out: Place, job: BatchJob, manifest: Manifest) -> None:
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


@dataclass
class Summary:
    """What a run did."""

    out: str  # the folder of the results, for people
    painted: int = 0
    failed: int = 0
    left_out: int = 0  # being results of Sakuga themselves
    before: int = 0  # done by earlier runs, failures included
    elapsed_s: float = 0.0
    failures: list[tuple[str, str]] = field(default_factory=list)  # the first: source, error

    @property
    def done(self) -> int:
        """Of this run."""
        return self.painted + self.failed + self.left_out

    def note(self, elapsed_s: float) -> str:
        """How fast it goes, for the progress bar."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done / max(1e-3, elapsed_s):.1f} pictures/s{failed}"

    def tell(self, *, as_json: bool, quiet: bool) -> int:
        """Print it; gives the exit status, 1 if OUT lacks pictures that failed."""
        if as_json:
            print(json.dumps({**asdict(self), "elapsed_s": round(self.elapsed_s, 2)}))
        elif not quiet:
            rate = self.painted / max(1e-3, self.elapsed_s)
            own = f", {self.left_out} left out that are painted already" if self.left_out else ""
            before = f", {self.before} were done before" if self.before else ""
            tell(
                f"{self.out}: {self.painted} painted in {self.elapsed_s:.0f} s ({rate:.1f}/s), "
                f"{self.failed} failed{own}{before}"
            )
        for source, error in self.failures:
            tell(f"sakuga: {source}: {error.removeprefix(f'{source}: ')}")
        if len(self.failures) == SHOWN_FAILURES:
            tell(f"sakuga: all failures are in {self.out}/manifest; --retry tries them again")
        return 1 if self.failures else 0
