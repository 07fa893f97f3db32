"""Stage 1: training curves through TensorBoard or Weights & Biases, where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saetm_plugins.validation import check_choice

LOGGERS = ("tensorboard", "wandb")


def open_logger(
    logger: str | None, log_dir: str | None, settings: dict[str, Any]
) -> tuple[Callable[[dict[str, float], int], None], Callable[[], None]]:
    """Return a function that logs scalars at a step, and one that closes the log.

    A `log_dir` of None is the library's default; W&B shows the `settings` of the run.
    """
    if logger is None:
        return (lambda scalars, step: None), (lambda: None)
    check_choice(logger, "logger", LOGGERS)
    try:
        if logger == "tensorboard":
            return _open_tensorboard(log_dir)
        return _open_wandb(log_dir, settings)
    except ImportError as error:
        raise ImportError(f"logger={logger!r} needs `pip install {logger}`") from error


def _open_tensorboard(log_dir: str | None) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(log_dir)

    def log(scalars: dict[str, float], step: int) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)

    return log, writer.close


def _open_wandb(log_dir: str | None, settings: dict[str, Any]) -> Any:
    import wandb

    run = wandb.init(dir=log_dir, config=settings)
    return (lambda scalars, step: run.log(scalars, step=step)), run.finish
