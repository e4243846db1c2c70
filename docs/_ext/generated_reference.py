"""Two directives for pages that must never go stale: the node's parameters and the commands of ``mrfs``."""

from __future__ import annotations

from docutils import nodes
from reference_tables import commands, node_parameters
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class NodeParameters(SphinxDirective):
    """A table of every parameter of the node, from ``NodeConfig``."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(node_parameters())


class Commands(SphinxDirective):
    """A section for every command of ``mrfs``, from its parser."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(commands(), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("node-parameters", NodeParameters)
    app.add_directive("mrfs-commands", Commands)
    return {"parallel_read_safe": True}
