"""`glideslope design`: a page in the browser on which a schedule is edited."""

from __future__ import annotations

import webbrowser
from threading import Thread
from typing import Annotated

import typer

from glideslope._interrupt import ended_by_ctrl_c
from glideslope.errors import InvalidValue

from ._app import app
from ._options import count_option, number_option

USUAL = "warmup(500) >> hold(7500) >> linear(2000)"


@app.command()
def design(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="The schedule to start with.")
    ] = USUAL,
    steps: Annotated[
        int | None, count_option("Updates in the run.", show_default="the schedule's length")
    ] = None,
    steps_per_epoch: Annotated[
        float | None, number_option("Updates in an epoch, for lengths like 10ep.", "N")
    ] = None,
    tokens_per_step: Annotated[
        float | None, number_option("Tokens in an update, for lengths like 2e9tok.", "N")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(metavar="LR", help="Learning rate where the schedule is 1.", show_default="1"),
    ] = None,
    compare: Annotated[
        str, typer.Option(metavar="SPEC", help="A second schedule, drawn for comparison.")
    ] = "",
    port: Annotated[
        int, count_option("Where the page is served.", "PORT", show_default="a free one")
    ] = 0,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Only print the address of the page.")
    ] = False,
) -> None:
    """Shape a schedule by hand, on a page in the browser.

    Drag the ends of its phases, or type; the curve, its findings and its key values follow. Copy it
    as text, as Python, or as JSON.

    The page is served to this machine alone, at an address that holds a secret, until Ctrl-C.
    """
    # The server's modules take a moment: not for --help.
    from glideslope.pages.design import DesignServer, answer

    question = {
        "text": spec,
        "total_steps": steps,
        "steps_per_epoch": steps_per_epoch,
        "tokens_per_step": tokens_per_step,
        "lr": lr,
        "compare": compare,
    }
    first = answer(question)
    if problem := first.get("error") or (first["compare"] or {}).get("error"):
        raise InvalidValue(problem)
    with ended_by_ctrl_c(), DesignServer(port, question) as server:
        try:
            typer.echo(f"{server.address}\nCtrl-C ends it.")
            if not no_open:
                Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")
