"""The Ray cluster a batch runs on: one started here for the run, or one that is there."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sakuga
from sakuga.console import explain_wait
from sakuga.errors import ClusterError, OptionError, one_line

if TYPE_CHECKING:
    from sakuga.batch.storage import Place
    from sakuga.styles.session import Device

# Shares of a core. A painter leaves room on its core, so that reading and writing, which wait most
# of the time, run beside it even where there is one core only.
PAINTER_CPUS = 0.75
TASK_CPUS = 0.125
BLOCK_BYTES = (4 * 2**20, 32 * 2**20)  # of pictures in memory that are handed on at once
OBJECT_STORE_BYTES = 4 * 2**30  # at most, of a cluster started here
_CONNECT_S = 5.0
# What a client of HTTP/2 says first, with empty settings. Ray's head speaks gRPC, which is HTTP/2,
# so it answers with a frame of settings: 3 bytes of length, then this type (RFC 9113, 3.4, 6.5).
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4
_SYSTEM = {
    # Ray ends a worker that waits for a second, and a new one takes seconds of a core to start.
    "idle_worker_killing_time_threshold_ms": 600_000,
    # For a dashboard, which a cluster of one's own does not have.
    "enable_metrics_collection": False,
    "task_events_report_interval_ms": 0,
}


@dataclass(frozen=True)
class Cluster:
    """What a run may use of a cluster."""

    painters: int
    gpus_each: int  # 0 or 1
    block_bytes: int


def check_address(address: str | None) -> None:
    """Find out within seconds that a cluster does not answer; Ray itself tries for minutes.

    Raises:
        ClusterError: nothing answers there, or something else than Ray.
        OptionError: not an address.
    """
    if address is None or address == "auto":
        return
    if address.startswith("ray://"):
        raise OptionError(
            f"address {address}: a batch does not run through Ray Client (ray://); start it on a "
            "machine of the cluster with --address auto, or send it there with `ray job submit`"
        )
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise OptionError(f"address {address!r} is neither auto nor HOST:PORT")
    remedy = "start one with `ray start --head`, or leave --address away to paint on this machine"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S) as link:
            if os.environ.get("RAY_USE_TLS", "0") != "0":
                return  # behind TLS, it would not understand
            link.sendall(_HELLO)
            answer = link.makefile("rb").read(9)
    except OSError as error:
        raise ClusterError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); {remedy}"
        ) from error
    if len(answer) < 9 or answer[3] != _SETTINGS:
        raise ClusterError(f"what answers at {address} is no Ray cluster; {remedy}")


@contextmanager
def joined(
    address: str | None, workers: int | None, device: Device, *, quiet: bool = False
) -> Iterator[Cluster]:
    """Start a cluster on this machine, or join the one at `address`, until the block ends.

    Args:
        address: HOST:PORT, "auto" (one that runs on this machine), or None.
        workers: how many painters; None: one a GPU, or one a core.
        quiet: say nothing of a long wait.

    Raises:
        ClusterError: it cannot be joined, or has other versions of Python or Ray.
        OptionError: more painters than it has cores or GPUs.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of a change
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else the workers give way to all others
    import ray
    import ray.data

    for name in ("ray", "ray.data"):  # what goes wrong is raised
        logging.getLogger(name).setLevel(logging.CRITICAL)
    mine = not ray.is_initialized()
    try:
        if mine:
            where = f"at {address} to answer" if address else "to start on this machine"
            with explain_wait(f"the Ray cluster {where}", quiet=quiet), _silence():
                _start(address, workers)
    except Exception as error:  # a node that starts too late is a bare Exception of Ray's
        reason = one_line(error)[:300]
        where = f"at {address}" if address else "on this machine"
        raise ClusterError(
            f"the Ray cluster {where} cannot be used ({reason}); start one with `ray start --head`"
        ) from error
    try:
        yield _look(workers, device)
    finally:
        if mine:
            ray.shutdown()


def _start(address: str | None, workers: int | None) -> None:
    import ray

    if address is not None:
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
        return
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    ray.init(
        "local",  # else Ray joins whatever was started on this machine
        num_cpus=max(bound or os.cpu_count() or 1, workers or 1),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        object_store_memory=_object_store_bytes(),
        _system_config=_SYSTEM,
    )


@contextmanager
def _silence() -> Iterator[None]:
    """Close the process's stderr for a while: Ray's C++ part logs there."""
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _look(workers: int | None, device: Device) -> Cluster:
    """Count what the cluster has."""
    import ray

    resources = ray.cluster_resources()
    cpus, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    on_gpus = device == "cuda" or (device == "auto" and gpus > 0)
    most = gpus if on_gpus else cpus
    if on_gpus and not gpus:
        raise ClusterError("device cuda was asked for, and no machine of the cluster has a GPU")
    if workers is not None and workers > most:
        kind = "GPUs" if on_gpus else "cores"
        raise OptionError(f"--workers {workers}: the cluster has {most} {kind}, one a worker")
    painters = workers or max(1, most)
    # A painter holds one block, as many wait before and behind it, and reading and writing hold
    # some more: 64 of them are half of what a worker's share of the memory can take.
    low, high = BLOCK_BYTES
    share = resources.get("object_store_memory", 0) / painters / 32
    return Cluster(painters, int(on_gpus), int(min(max(share, low), high)))


def _object_store_bytes() -> int | None:
    """How much memory pictures in flight may take; None: Ray's own default."""
    if not hasattr(os, "sysconf"):  # Windows
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min(0.3 * memory, OBJECT_STORE_BYTES))


def check_nodes(places: list[Place]) -> None:
    """Ask every machine of the cluster whether it has this sakuga and sees the places.

    Raises:
        ClusterError: naming the machine that does not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as Affinity

    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2:
        return
    ask = ray.remote(num_cpus=0, max_retries=0)(_look_around)
    local = [place.path for place in places if place.is_local]
    answers = [
        ask.options(scheduling_strategy=Affinity(node["NodeID"], soft=False)).remote(local)
        for node in nodes
    ]
    for node, answer in zip(nodes, answers, strict=True):
        name = node["NodeManagerAddress"]
        try:
            version, missing = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"the machine {name} of the cluster cannot run sakuga "
                f"({str(error).splitlines()[-1]}); install sakuga[batch] there"
            ) from error
        if version != sakuga.__version__:
            raise ClusterError(
                f"the machine {name} of the cluster has sakuga {version}, this one "
                f"{sakuga.__version__}; install the same everywhere"
            )
        if missing:
            raise ClusterError(
                f"the machine {name} of the cluster does not see {missing[0]}; put it on storage "
                "that all machines share, or on an object store"
            )


def _look_around(paths: list[str]) -> tuple[str, list[str]]:
    """Runs on each machine: its sakuga, and which of the paths are not there."""
    from pathlib import Path

    return sakuga.__version__, [path for path in paths if not Path(path).exists()]
