"""Which devices a training runs on: one, several of this machine, or those of other machines."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor

from sakuga.errors import DeviceError, OptionError, one_line


def open_fabric(devices: int | str, nodes: int, accelerator: str, precision: str) -> Fabric:
    """Set up the devices and start the other processes, or find those that torchrun started.

    Args:
        devices: of each machine; "auto": all GPUs, else one CPU process. Under torchrun that is
            what --nproc-per-node says.
        nodes: machines; more than one need torchrun, SLURM, or NODE_RANK and MASTER_ADDR.
        accelerator: "auto", "cpu" or "cuda".
        precision: as Lightning Fabric names it.

    Raises:
        OptionError: numbers that contradict torchrun's, or machines that cannot find each other.
        DeviceError: devices that this machine lacks.
    """
    if isinstance(devices, str) and devices.isdigit():
        devices = int(devices)
    if TorchElasticEnvironment.detect():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        if devices not in ("auto", local):
            raise OptionError(
                f"--devices {devices}: torchrun started {local} processes on this machine; "
                "leave --devices away"
            )
        devices, nodes = local, int(os.environ["WORLD_SIZE"]) // local
    elif nodes > 1 and not SLURMEnvironment.detect() and "MASTER_ADDR" not in os.environ:
        raise OptionError(
            f"--nodes {nodes}: the machines must find each other: start each with torchrun, or "
            "with MASTER_ADDR, MASTER_PORT and NODE_RANK in its environment"
        )
    many = nodes > 1 or (isinstance(devices, int) and devices > 1)
    try:
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if many else "auto",
            precision=precision,  # type: ignore[arg-type]
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise DeviceError(
            f"--devices {devices} --accelerator {accelerator}: {one_line(error)}"
        ) from error
    fabric.launch()
    return fabric


def is_first_process() -> bool:
    """True in the one process of a training that speaks and saves, also before it is set up."""
    if "RANK" in os.environ:
        return os.environ["RANK"] == "0"
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))


def mean_over_ranks(fabric: Fabric, values: Mapping[str, Tensor | float]) -> dict[str, Tensor]:
    """The mean of each scalar over all ranks, in one message; every rank must call it."""
    if fabric.world_size == 1:
        return {name: torch.as_tensor(value) for name, value in values.items()}
    own = torch.stack(
        [
            torch.as_tensor(v, dtype=torch.float32).detach().to(fabric.device)
            for v in values.values()
        ]
    )
    means = fabric.all_reduce(own, reduce_op="mean")
    assert isinstance(means, Tensor)
    return dict(zip(values, means.unbind(), strict=True))


def any_rank(fabric: Fabric, flag: bool) -> bool:
    """Whether the flag is set on any rank; every rank must call it, and all get the same answer."""
    if fabric.world_size == 1:
        return flag
    flags = fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="sum")
    return bool(flags)
