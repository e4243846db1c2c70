"""How Sphinx builds the site: ``make docs``; the repository is the source folder, so that its own links hold."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

from mrfs_ros import __version__  # noqa: E402  (found by the line above)

project = "mrfs_ros"
author = "The mrfs_ros developers"
copyright = "The mrfs_ros developers, Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docstrings", "generated_reference"]
root_doc = "docs/index"
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
include_patterns = [
    "docs/**",
    "README.md",
    "CHANGELOG.rst",
    "CONTRIBUTING.md",
    "benchmarks/*.md",
    "models/README.md",
    "samples/README.md",
]
# Whole folders, so that Sphinx does not walk through virtual environments and results.
_WITH_PAGES = {"docs", "benchmarks", "models", "samples"}
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name not in _WITH_PAGES]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
add_module_names = False
python_maximum_signature_line_length = 90

html_theme = "furo"
html_title = "mrfs_ros"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_additional_pages = {"index": "start.html"}  # the root document lies in docs/, as in the repository
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#b3450b", "color-brand-content": "#b3450b"},
    "dark_css_variables": {"color-brand-primary": "#ff9e5e", "color-brand-content": "#ff9e5e"},
}
