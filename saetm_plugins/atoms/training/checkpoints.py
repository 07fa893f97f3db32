"""Stage 1: checkpoints, from which an interrupted run ends as it would have ended otherwise."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from saetm_plugins.files.folders import reserve_space
from saetm_plugins.files.write import write_whole
from saetm_plugins.validation import check_count, check_not_negative, check_path

_KEPT = 2
_DAMAGE = (SafetensorError, OSError, KeyError, ValueError, RecursionError, TypeError)


class CheckpointFolder:
    """Writes the state of a run at intervals, and finds the newest undamaged one.

    Parameters
    ----------
    folder : path
        Created if it does not exist.
    settings : dict
        JSON-able: all that the result depends on. A run with other settings is not continued.
    every : int, optional
        Steps between checkpoints.
    minutes : float, optional
        Minutes between checkpoints; 10 if neither is given.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        settings: dict[str, Any],
        every: int | None = None,
        minutes: float | None = None,
    ) -> None:
        if every is not None:
            check_count(every, "checkpoint_every")
        if minutes is not None:
            check_not_negative(minutes, "checkpoint_minutes")
        self.folder = check_path(folder, "checkpoint_dir")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._settings = json.loads(json.dumps(settings))  # as they are read from a file
        self._every = every
        if every is None and minutes is None:
            minutes = 10
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._last = time.monotonic()

    def due(self, step: int) -> bool:
        """Tell whether to save after step number `step` (from 0)."""
        by_number = self._every is not None and (step + 1) % self._every == 0
        return by_number or time.monotonic() - self._last >= self._seconds

    def save(self, step: int, state: dict[str, np.ndarray]) -> None:
        """Write the state after `step` steps; older checkpoints but one are deleted."""
        target = self.folder / f"step-{step:09d}.safetensors"
        metadata = {"step": str(step), "settings": json.dumps(self._settings)}
        metadata["checksum"] = _checksum(state)
        try:
            reserve_space(self.folder, sum(array.nbytes for array in state.values()))
            write_whole(target, lambda path: save_file(state, path, metadata=metadata))
        except (OSError, SafetensorError) as error:
            raise OSError(f"checkpoint {str(target)!r} could not be written: {error}") from error
        self._last = time.monotonic()
        for old in self._files()[:-_KEPT]:
            old.unlink()

    def load(self) -> tuple[int, dict[str, np.ndarray]] | None:
        """Return the steps taken and the state of the newest undamaged checkpoint, or None.

        Warns of a damaged one. A checkpoint of a run with other settings is a ValueError.
        """
        for file in reversed(self._files()):
            try:
                with safe_open(file, framework="np") as tensors:
                    metadata = tensors.metadata() or {}
                    state = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
                step, settings = int(metadata["step"]), dict(json.loads(metadata["settings"]))
                if metadata.get("checksum", _checksum(state)) != _checksum(state):
                    raise ValueError("its checksum differs")
            except _DAMAGE as error:
                warnings.warn(
                    f"checkpoint {str(file)!r} is damaged ({error}); trying the one before",
                    stacklevel=2,
                )
                continue
            if settings != self._settings:
                old, new = settings.get, self._settings.get
                names = sorted(settings.keys() | self._settings.keys())
                changed = [f"{n} was {old(n)!r}, is {new(n)!r}" for n in names if old(n) != new(n)]
                raise ValueError(
                    f"checkpoint_dir {str(self.folder)!r} holds a run with other settings: "
                    + "; ".join(changed)
                )
            return step, state
        return None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"))


def _checksum(state: dict[str, np.ndarray]) -> str:
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(f"{name} {state[name].dtype} {state[name].shape} ".encode())
        total.update(np.ascontiguousarray(state[name]).tobytes())
    return total.hexdigest()
