"""Stage 1: training curves through TensorBoard or Weights & Biases, where they are installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from saetm_plugins.validation import check_choice

LOGGERS = ("tensorboard", "wandb")


def open_logger(
    logger: str | None, log_dir: str | None, settings: dict[str, Any]
) -> tuple[Callable[[dict[str, float], int], Any], Callable[[], Any]]:
    """Return a function that logs scalars at a step, and one that closes the log.

    A `log_dir` of None is the library's default; W&B shows the `settings` of the run.
    """
    if logger is None:
        return (lambda scalars, step: None), (lambda: None)
    check_choice(logger, "logger", LOGGERS)
    try:
        if logger == "tensorboard":
            from torch.utils.tensorboard import SummaryWriter
        else:
            import wandb
    except ImportError as error:
        raise ImportError(f"logger={logger!r} needs `pip install {logger}`") from error
    if logger == "wandb":
        run = wandb.init(dir=log_dir, config=settings)
        return (lambda scalars, step: run.log(scalars, step=step)), run.finish
    writer = SummaryWriter(log_dir)

    def log(scalars: dict[str, float], step: int) -> None:
        for name, value in scalars.items():
            writer.add_scalar(name, value, step)

    return log, writer.close
