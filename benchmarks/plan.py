"""What 1e6 pictures, 1e9 pictures and 1,000 hours of film take: time, money, bottleneck.

    python benchmarks/plan.py --core-mp-s 1.9 --files-mp-s 20 --listed 300000 --noted 100000

`benchmarks/scale.py --parts plan` measures these four speeds and prints the table. Everything else
is an ASSUMPTION: prices are arguments, and no GPU was measured: its speed is `--gpu-share` of the
FLOP/s that its maker publishes, divided by the operations of the style's graph for a pixel.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields

# Work -> (pictures, megapixels of each). Film: 24 frames a second of 1920 x 1080.
WORK = {
    "1e6 pictures": (1e6, 1.0),
    "1e9 pictures": (1e9, 1.0),
    "1,000 h film": (1000 * 3600 * 24.0, 1920 * 1080 / 1e6),
}
# GPU -> float32 operations a second without tensor cores, as published; dollars an hour, assumed.
GPUS = {
    "T4": (8.1e12, 0.15),
    "L4": (30.3e12, 0.30),
    "A100": (19.5e12, 1.20),
    "H100": (66.9e12, 2.50),
}


@dataclass(frozen=True)
class Speeds:
    """What was measured."""

    core_mp_s: float  # megapixels a second that one core paints
    files_mp_s: float  # megapixels a second that one core decodes and encodes
    listed: float  # rows of a list a second, of the one driver
    noted: float  # rows of the manifest a second, of the one driver


@dataclass(frozen=True)
class Assumptions:
    """What was not measured; dollars are those of no particular provider."""

    core_price: float = 0.015  # dollars an hour of a spot core
    file_core_price: float = 0.015  # of the cores that decode and encode for a GPU
    cores: float = 1000.0  # of the fleet
    gpus: float = 50.0  # of the fleet
    gpu_share: float = 0.25  # of the published FLOP/s that a convolution of few channels reaches
    flop_a_pixel: float = 47_376.0  # multiplications and additions of novel's convolutions
    mb_a_mp: float = 0.3  # of a JPEG file, read; examples/ have 0.26 to 0.36
    mb_a_mp_out: float = 0.6  # of a result, written
    egress_price: float = 0.09  # dollars a GB that leaves the provider's network
    put_price: float = 0.005  # dollars a thousand files written one by one
    puts_a_second: float = 3500.0  # that one prefix of an object store takes


def table(speeds: Speeds, assumed: Assumptions) -> list[tuple[str, str]]:
    """Rows of (name, value): cost, time and bottleneck of each work on each kind of machine."""
    rows = []
    for work, (pictures, size) in WORK.items():
        megapixels = pictures * size
        # What one driver, one prefix, and the way out ask for, whatever paints.
        shared = {
            "the driver": pictures / speeds.listed + pictures / speeds.noted,
            "one prefix of small files": pictures / assumed.puts_a_second,
        }
        out_gb = megapixels * assumed.mb_a_mp_out / 1e3
        machines = [("CPU core", assumed.core_price, assumed.cores, 1 / speeds.core_mp_s, 1.0)]
        for gpu, (flops, price) in GPUS.items():
            second = assumed.flop_a_pixel * 1e6 / (flops * assumed.gpu_share)
            # Cores beside a GPU, so that files keep its pace.
            machines.append((f"{gpu} (estimate)", price, assumed.gpus, second, 0.0))
        for name, price, fleet, paint_s, core in machines:
            file_s = 1 / speeds.files_mp_s
            busy_s = paint_s + file_s if core else paint_s  # a core does both
            hours = megapixels * busy_s / 3600
            beside = 0.0 if core else file_s / paint_s
            cost = hours * (price + beside * assumed.file_core_price)
            times = {"painting": hours * 3600 / fleet, **shared}
            slowest = max(times, key=lambda part: times[part])
            value = f"{hours:,.0f} h, ${cost:,.0f}; {times[slowest] / 3600:,.1f} h by {slowest}"
            if not core:
                value += f"; {beside:.1f} cores beside each"
            rows.append((f"{work}, {fleet:.0f} x {name}", value))
        puts = pictures / 1000 * assumed.put_price
        value = (
            f"{megapixels * assumed.mb_a_mp / 1e3:,.0f} GB in, {out_gb:,.0f} GB out, "
            f"${out_gb * assumed.egress_price:,.0f} if that leaves; {pictures:.2g} PUTs "
            f"${puts:,.0f}, in shards of 256 ${puts / 256:,.2f}; "
            f"driver {shared['the driver'] / 3600:,.2f} h"
        )
        rows.append((f"{work}, whatever paints", value))
    return rows


def add_assumptions(parser: argparse.ArgumentParser) -> None:
    """One argument for each assumption."""
    for field in fields(Assumptions):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=float, default=field.default, help="assumption %(default)s")


def assumptions_of(chosen: argparse.Namespace) -> Assumptions:
    """The assumptions that were given."""
    return Assumptions(**{field.name: getattr(chosen, field.name) for field in fields(Assumptions)})


def main() -> None:
    """Print the table for speeds that are known."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for field in fields(Speeds):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=float, required=True)
    add_assumptions(parser)
    chosen = parser.parse_args()
    speeds = Speeds(**{field.name: getattr(chosen, field.name) for field in fields(Speeds)})
    for name, value in table(speeds, assumptions_of(chosen)):
        print(f"| {name:<36} | {value} |")


if __name__ == "__main__":
    main()
