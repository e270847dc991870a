"""How Sphinx builds the documentation; `make docs` runs it with warnings as errors."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from docutils.nodes import Node
from sphinx.util.docutils import SphinxDirective

from glideslope import __version__
from glideslope.rules import Rule

if TYPE_CHECKING:
    from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Glideslope"
author = "The Glideslope maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions += ["generated", "mathml", "site_check"]  # of docs/_ext
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# `name` in a docstring is a link where it names something, and code where it does not.
default_role = "py:obj"

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_mock_imports = ["keras", "paddle", "tinygrad"]  # of which their adapters are subclasses
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 140
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"Glideslope {version}"
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/versions.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}


def _skip_fields_of_tuples(*event: object) -> bool | None:
    """Leave out members documented by nothing but "Alias for field number 0"."""
    member = event[3]
    return (member.__doc__ or "").startswith("Alias for field number") or None


class AutoRules(SphinxDirective):
    """``.. autorules:: PACKAGE``: every rule among the public names of a package."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """One ``autodata`` for each rule."""
        package = import_module(self.arguments[0])
        names = [name for name in package.__all__ if isinstance(getattr(package, name), Rule)]
        lines = (f".. autodata:: {package.__name__}.{name}\n   :no-value:\n" for name in names)
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_directive("autorules", AutoRules)
    app.connect("autodoc-skip-member", _skip_fields_of_tuples)
