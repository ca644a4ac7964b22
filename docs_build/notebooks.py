"""A hook of mkdocs: notebooks are run when the pages are built, and shown with what they printed.

A notebook is committed without output. `docs/notebooks/NAME.ipynb` becomes the page
`notebooks/NAME.md`; the notebook itself lies beside it, to be downloaded.
"""

from __future__ import annotations

import html
import json
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbclient import NotebookClient

PLOTLY = "assets/plotly.js"
SECONDS = 120  # that one cell may take

# What markdown must leave as it is, by the paragraph that stands for it.
_outputs: dict[str, str] = {}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Called by mkdocs with the files found: each notebook gets a page."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        assert file.abs_src_path is not None
        notebook = run(Path(file.abs_src_path))
        page = Path(file.src_uri).with_suffix(".md").as_posix()
        files.append(File.generated(config, page, content=page_of(notebook, page)))
    if _outputs:
        from plotly.offline import get_plotlyjs  # noqa: PLC0415

        files.append(File.generated(config, PLOTLY, content=get_plotlyjs()))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Called by mkdocs with a page's HTML: what was printed takes its place."""
    for name, output in _outputs.items():
        html = html.replace(f"<p>{name}</p>", output)
    if "Plotly.newPlot" in html:
        depth = page.url.count("/")
        html = f'<script src="{"../" * depth}{PLOTLY}"></script>\n{html}'
    return html


def run(source: Path) -> Any:
    """The notebook with its output, run in a folder of its own.

    Raises nbclient's `CellExecutionError` where a cell fails, which ends the build.
    """
    notebook = nbformat.read(source, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            extra_arguments=["--log-level=ERROR"],
            timeout=SECONDS,
            resources={"metadata": {"path": folder}},
        ).execute()
    return notebook


def page_of(notebook: Any, page: str) -> str:
    """A page in markdown, with a paragraph in place of each output."""
    parts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for place, output in enumerate(cell.outputs):
            if shown := _shown(output, f"figure-{number}-{place}"):
                name = f"output {page} {number} {place}"
                _outputs[name] = f'<div class="notebook-output">{shown}</div>'
                parts.append(name)
    return "\n\n".join(parts)


def _shown(output: Any, name: str) -> str:
    """HTML of one output of a cell; empty for what is written to stderr."""
    if output.output_type == "stream":
        return f"<pre>{html.escape(output.text)}</pre>" if output.name == "stdout" else ""
    data = output.data
    if figure := data.get("application/vnd.plotly.v1+json"):
        drawn = json.dumps([figure["data"], figure["layout"]]).replace("</", "<\\/")
        return (
            f'<div id="{name}" class="notebook-figure"></div>\n'
            f'<script>Plotly.newPlot("{name}", ...{drawn}, {{responsive: true, '
            "displayModeBar: false})</script>"
        )
    if "text/html" in data:
        return str(data["text/html"])
    return f"<pre>{html.escape(data.get('text/plain', ''))}</pre>"
