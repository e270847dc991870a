"""How Sphinx builds the documentation; `make docs` runs it with warnings as errors."""

from glideslope import __version__

project = "Glideslope"
author = "The Glideslope maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# `name` in a docstring is a link where it names something, and code where it does not.
default_role = "py:obj"

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 140
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"Glideslope {version}"
html_copy_source = False
html_show_sphinx = False
