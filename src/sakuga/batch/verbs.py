"""`sakuga batch`: it imports what it needs when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.extras import need
from sakuga.painting.options import check_whole
from sakuga.painting.typed import TypedOptions


@dataclass(frozen=True)
class Options:
    """How a batch runs, as far as the results do not depend on it.

    Parameters
    ----------
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
    """

    pictures_per_shard: int = 256
    workers: int | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    address: str | None = None
    retry: bool = False
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.workers is not None:
            check_whole("workers", self.workers)
        check_whole("pictures-per-shard", self.pictures_per_shard)


def batch(
    source: Annotated[str, Parameter(name="IN")],
    out: str,
    *,
    style: Annotated[str, Parameter(name=["--style", "-s"])] = "novel",
    painting: Annotated[TypedOptions | None, Parameter(name="*")] = None,
    format: Literal["png", "jpg", "jpeg", "webp", "gif"] | None = None,
    output: Literal["tree", "shards", "parquet"] = "tree",
    options: Annotated[Options | None, Parameter(name="*")] = None,
    json: bool = False,
) -> int:
    """Paint millions of pictures, on all cores or a cluster.

    Run it again after a crash: it goes on where it ended.

    Example:  sakuga batch photos/ painted/ --style novel

    Parameters
    ----------
    source
        A folder, a list (.jsonl, .csv, .parquet), a .tar shard or a folder of them; path or URL.
    out
        A folder, or the URL of one: results, and a manifest of what became of every picture.
    style
        A style's name, a style file, or a training's folder.
    format
        Format of the results; otherwise that of each source.
    output
        A tree of files, WebDataset shards, or Parquet files.
    json
        Print what was done as JSON.
    """
    need("sakuga batch", "batch", "ray", "pyarrow", "fsspec")
    from sakuga.batch.run import run_batch

    summary = run_batch(
        source,
        out,
        style=style,
        painting=painting,
        file_format="jpg" if format == "jpeg" else format,
        output=output,
        options=options,
    )
    return summary.tell(as_json=json, quiet=options is not None and options.quiet)
