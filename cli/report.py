"""`trivium report`: benchmark results as one HTML page that works offline, as Markdown and as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .common import common_options, console, print_json
from .progress import progress

_FILE = click.Path(path_type=Path, dir_okay=False)
PAGE = "report.html"


@click.command()
@click.argument("place", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--out", type=_FILE, metavar="HTML", help=f"Output file. Default: {PAGE} in FOLDER.")
@click.option("--markdown", type=_FILE, metavar="FILE", help="Also write Markdown, with the charts of --png.")
@click.option(
    "--png", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Also save each chart as a PNG."
)
@click.option("--history", is_flag=True, help="FOLDER is the --history of `trivium bench`: show how times change.")
@click.option("--title", default="What was measured", show_default=True, help="Title of the page.")
@common_options
def command(
    place: Path, out: Path | None, markdown: Path | None, png: Path | None, history: bool, title: str, as_json: bool
) -> None:
    """Write benchmark results as one HTML page.

    FOLDER is the --out of a `trivium bench`, or a folder of such folders. The page works offline: it contains charts,
    sortable tables, the environment and the JSON itself.

    \b
    Example:
      trivium report runs/pooling
      trivium report runs/pooling --markdown pooling.md --png charts
      trivium report runs/history --history
    """
    from ..benchmarks.report import answers, charts, page, pictures, results_reader
    from ..benchmarks.report import history as trends
    from ..benchmarks.report import markdown as readme
    from ..storage.atomic import require_writable_folder, write_text

    parts = trends.read(place) if history else results_reader.read(place)
    out = out or (place if place.is_dir() else place.parent) / PAGE
    for folder in (out.parent, *([markdown.parent] if markdown else []), *([png] if png else [])):
        require_writable_folder(folder)
    with progress("report") as listener:
        drawn = [charts.draw(part) for part in parts]
        files = pictures.save(parts, drawn, png, listener) if png else [{} for _ in parts]
        write_text(out, page.write(parts, drawn, title))
        if markdown:
            write_text(markdown, readme.write(parts, title, files, markdown))
    written = [out, *([markdown] if markdown else []), *(path for each in files for path in each)]
    document: dict[str, Any] = {"schema": 1, "files": [str(path) for path in written]}
    if as_json:
        print_json({**document, "suites": [answers.as_json(part) for part in parts]})
        return
    screen = console()
    for part in parts:
        screen.print(answers.question(part))
        for sentence in answers.answer(part):
            screen.print(f"  {sentence}")
    screen.print(f"kept {', '.join(document['files'])}")
