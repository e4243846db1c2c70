"""Parameters of the node from a ROS 2 params file, for commands that do the node's work offline."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from mrfs_ros.cli.options import given
from mrfs_ros.config import NodeConfig, check_settings


def node_config(arguments: argparse.Namespace) -> NodeConfig:
    """The parameters of ``--params-file``, the defaults without it, with those that are options in their place.

    A warning tells of sections of the file that are not taken; ConfigError for values out of range.
    """
    config = NodeConfig()
    if path := arguments.params_file:
        from mrfs_ros.bag.yaml_parameters import read_parameters, unused_sections

        config = read_parameters(path)
        if unused := unused_sections(path):
            print(f"mrfs: warning: {unused}", file=sys.stderr)
    config = replace(config, **given(NodeConfig, arguments))
    check_settings(config)
    return config
