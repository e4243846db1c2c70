"""The recipes' parameters fit what the node publishes, and the classes of the model that comes along."""

from __future__ import annotations

import re

import yaml
from documents import ROOT

from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.shipped import shipped_model

LAYER = "semantic_segmentation_layer"


def camera() -> dict:
    """The parameters of the layer's camera in the recipe of Nav2's costmap."""
    (text,) = re.findall(
        r"^```yaml\n(# nav2_semantic.yaml\n.*?)^```$", (ROOT / "docs/recipes.md").read_text(), re.M | re.S
    )
    return yaml.safe_load(text)["local_costmap"]["local_costmap"]["ros__parameters"][LAYER]["camera"]


def test_the_costmap_takes_topics_of_the_node_with_their_types():
    rows = re.findall(r"^\| (`/.*?`) \| (.*?) \|", (ROOT / "docs/ros.md").read_text(), re.M)
    types = {topic: kind for topics, kind in rows for topic in re.findall(r"`(.*?)`", topics)}
    wanted = {"segmentation": "mono8", "confidence": "mono8", "labels": "vision_msgs/LabelInfo"}
    for name, kind in wanted.items():
        assert kind in types[camera()[f"{name}_topic"]]


def test_the_costmap_gives_every_class_of_the_model_one_cost():
    kinds = camera()["class_types"]
    named = [name for kind in kinds for name in camera()[kind]["classes"]]
    assert sorted(named) == sorted(read_checkpoint(shipped_model()).classes.names)
