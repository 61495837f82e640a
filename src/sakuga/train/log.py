"""What a training tells as it goes: a JSONL log, TensorBoard, sheets of fixed photos."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch import Tensor, nn
from torch.utils.tensorboard import summary

from sakuga.files import replacing, write_bytes
from sakuga.images.read import to_float, to_pixels
from sakuga.images.sheet import contact_sheet
from sakuga.train.config import TrainConfig, config_to_json
from sakuga.train.dataset import load_pairs, load_pictures, pictures_or_any

LOG = "log.jsonl"
SHEET_PHOTOS = 4
SHEET_SIDE = 512  # pixels, the longer side of a photo on a sheet
SHEET_MULTIPLE = 8  # sides are cropped to it, so that every generator takes them


class RunLog:
    """Writes into a run's folder; used by rank 0 only."""

    def __init__(
        self, config: TrainConfig, run: Path, first_step: int, device: torch.device
    ) -> None:
        run.mkdir(parents=True, exist_ok=True)
        (run / "sheets").mkdir(exist_ok=True)
        self.run = run
        self.write_config(config)
        self.device = device
        self.batch = config.batch
        self.latest: dict[str, float] = {}
        self.board = Board(run / "tensorboard", first_step + 1)
        forget_steps_after(first_step, run / LOG)
        self.log_file = (run / LOG).open("a", encoding="utf-8")
        self.clock = (first_step, time.monotonic())
        self.note = ""  # what is worth telling of the sheets' photos
        if config.sheet_photos:
            photos = load_pictures([config.sheet_photos], "all")
        elif config.pairs:  # all of them are for training: a sheet shows what was learned of them
            photos = [pair.photo for pair in load_pairs(config.pairs, SHEET_PHOTOS)]
        else:
            found, self.note = pictures_or_any(config.photos, "held-out", SHEET_PHOTOS)
            photos = [photo for _, photo in found]
        self.photos = [_fit(photo) for photo in photos[:SHEET_PHOTOS]]

    def write_config(self, config: TrainConfig) -> None:
        """Write the settings, all of them, as config.json."""
        write_bytes(self.run / "config.json", config_to_json(config).encode())

    def add(self, step: int, terms: Mapping[str, Tensor], learning_rate: float) -> None:
        """Add a line: every weighted term, their rate, and crops a second since the last line."""
        last_step, last_time = self.clock
        self.clock = (step, time.monotonic())
        speed = (step - last_step) * self.batch / max(1e-9, self.clock[1] - last_time)
        self.latest = {name: round(term.item(), 6) for name, term in terms.items()}
        own = [v for name, v in self.latest.items() if not name.startswith("discriminator_")]
        self.latest["loss"] = round(sum(own), 6)  # of the generator
        self.latest["learning_rate"] = learning_rate
        self.latest["crops_per_s"] = round(speed, 2)
        self.log_file.write(json.dumps({"step": step, **self.latest}) + "\n")
        self.log_file.flush()
        for name, value in self.latest.items():
            self.board.add(step, summary=summary.scalar(name, value))

    @torch.no_grad()
    def draw_sheet(self, step: int, generator: nn.Module) -> Path:
        """Paint the fixed photos and write sheets/STEP.png: photo | anime."""
        rows = []
        for photo in self.photos:
            planes = torch.from_numpy(to_float(photo)).to(self.device)
            anime = to_pixels(generator(planes).float().cpu().numpy())[0]
            rows.append([photo, anime])
        sheet = contact_sheet(rows, ["photo", f"step {step:,}"])
        path = self.run / "sheets" / f"{step:07d}.png"
        with replacing(path) as temporary:
            Image.fromarray(sheet).save(temporary)
        self.board.add(step, summary=summary.image("sheet", sheet, dataformats="HWC"))
        return path

    def close(self) -> None:
        """Close the log files."""
        self.log_file.close()
        self.board.close()


class Board:
    """What TensorBoard shows, written at once: its own writer has a thread, which says of a full
    disk what was said already, as a traceback.

    Args:
        first_step: what an earlier run of the folder wrote from this step on is not shown.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(exist_ok=True)
        path = folder / f"events.out.tfevents.{time.time():.6f}"
        self._records = RecordWriter(path.open("wb"))
        self.add(first_step, file_version="brain.Event:2")
        self.add(first_step, session_log=SessionLog(status=SessionLog.START))

    def add(self, step: int, **content: Any) -> None:
        """Add an event of a step: a `summary`, for example."""
        event = Event(wall_time=time.time(), step=step, **content)
        self._records.write(event.SerializeToString())
        self._records.flush()

    def close(self) -> None:
        """Close the file."""
        self._records.close()


def forget_steps_after(step: int, log: Path) -> None:
    """Take lines out of a log that a run wrote past the checkpoint it goes on from.

    They will be written again. So is a line that a crash has torn.
    """
    if not log.exists():
        return
    lines = log.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if (_step_of(line) or step + 1) <= step]
    if kept != lines:
        write_bytes(log, b"".join(kept))


def _step_of(line: bytes) -> int | None:
    """The step of a line of the log; None if it is not whole."""
    try:
        return int(json.loads(line)["step"]) if line.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError):
        return None


def _fit(photo: np.ndarray) -> np.ndarray:
    """Shrink a photo to SHEET_SIDE and crop its sides to SHEET_MULTIPLE."""
    image = Image.fromarray(photo)
    image.thumbnail((SHEET_SIDE, SHEET_SIDE))
    width, height = (side // SHEET_MULTIPLE * SHEET_MULTIPLE for side in image.size)
    return np.asarray(image.crop((0, 0, width, height)))
