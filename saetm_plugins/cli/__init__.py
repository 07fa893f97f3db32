"""The ``saetm`` command: topic models from the shell, from fitting them to reading collections.

The functions of its modules are the commands. They reach the library through :mod:`.library`, which
imports it when they run, so that ``saetm --help`` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

try:
    import typer
    from rich.console import Console

    from saetm_plugins.cli.console import print_line
except ImportError as error:  # the library works without its command
    raise SystemExit(f"{error}: the saetm command needs pip install 'saetm-plugins[cli]'") from None

from saetm_plugins import __version__
from saetm_plugins.cli import atoms, collections, counts, documents, exploring, images, models

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
COMMANDS = {
    "Topic models": (
        *(models.demo, models.fit, models.topics, models.assign, models.retopic, models.edit),
    ),
    "Reading a collection": (
        *(collections.coverage, collections.compare, collections.trends, collections.correlations),
        *(counts.suggest, counts.stability),
    ),
    "Documents": (documents.search, documents.explain, documents.export, documents.transform),
    "Exploring": (exploring.explore, images.image_sheet, exploring.taxonomy, exploring.name),
    "Sparse autoencoders": (atoms.embed, atoms.train_sae, models.warm_up),
}
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(command.__name__.replace("_", "-"), rich_help_panel=panel)(command)


@app.callback(invoke_without_command=True)
def show_version(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Topic models on sparse autoencoders: train once, cut into any number of topics."""
    if version:
        typer.echo(f"saetm {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; errors and warnings are one line each, without a traceback or source."""
    errors = Console(stderr=True)

    def show_warning(message: Any, *where: Any, **more: Any) -> None:
        print_line(errors, "warning:", message, style="yellow")

    warnings.showwarning = show_warning
    try:
        app()
    except (ValueError, TypeError, OSError, ImportError) as error:
        print_line(errors, "error:", _name_option(str(error)), style="red")
        sys.exit(1)


def _name_option(message: str) -> str:
    """Say ``--text-column`` where a message of the library begins with ``text_column``."""
    argument, _, rest = message.partition(" ")
    commands = getattr(typer.main.get_command(app), "commands", {})
    for parameter in getattr(commands.get("".join(sys.argv[1:2])), "params", ()):
        if parameter.name == argument and parameter.opts[0].startswith("--"):
            return f"{parameter.opts[0]} {rest}"
    return message
