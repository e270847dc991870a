"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

from __future__ import annotations

from typing import Any

from docutils.nodes import SkipNode, math, math_block
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxTranslator

LOGGER = logging.getLogger(__name__)


def _inline(self: SphinxTranslator, node: math) -> None:
    self.body.append(_mathml(node, as_block=False))
    raise SkipNode


def _block(self: SphinxTranslator, node: math_block) -> None:
    self.body.append(f'<div class="math" tabindex="0">{_mathml(node, as_block=True)}</div>')
    raise SkipNode


def _nothing(_self: SphinxTranslator, _node: math | math_block) -> None:
    """The formula is written as a whole when its node is entered."""


def _mathml(node: math | math_block, as_block: bool) -> str:
    try:
        return tex2mathml(node.astext(), as_block=as_block)
    except MathError as error:
        LOGGER.warning("%s: %s", node.astext(), error, location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, _nothing), (_block, _nothing))
    return {"parallel_read_safe": True}
