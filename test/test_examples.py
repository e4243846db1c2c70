"""Examples in the docstrings of public functions: run, and there for each of them."""

from __future__ import annotations

import doctest
from importlib import import_module
from inspect import getdoc

import pytest

import mrfs_ros

EXAMPLES = {  # public function or class -> its module
    "load_engine": "mrfs_ros.engine.load",
    "load_network": "mrfs_ros.checkpoint",
    "read_checkpoint": "mrfs_ros.checkpoint",
    "save_checkpoint": "mrfs_ros.checkpoint",
    "FusionResult": "mrfs_ros.types",
    "class_set_named": "mrfs_ros.types",
    "class_set_for_count": "mrfs_ros.types",
    "needs_package": "mrfs_ros.errors",
    "atomic": "mrfs_ros.files",
    "overlay": "mrfs_ros.draw",
    "alignment": "mrfs_ros.draw",
    "side_by_side": "mrfs_ros.draw",
    "contact_sheet": "mrfs_ros.draw",
    "build_network": "mrfs_ros.network.mrfs",
    "mrfs_loss": "mrfs_ros.training.losses",
    "segmentation_loss": "mrfs_ros.training.losses",
    "fusion_metrics": "mrfs_ros.evaluation.metrics",
    "no_reference_metrics": "mrfs_ros.evaluation.metrics",
    "confusion_matrix": "mrfs_ros.evaluation.segmentation",
    "segmentation_scores": "mrfs_ros.evaluation.segmentation",
}


def failures(public: object, module: object) -> tuple[int, int]:
    """(examples that failed, examples tried) of one docstring."""
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    for test in doctest.DocTestFinder(recurse=False).find(public, module=module, globs=dict(vars(module))):
        runner.run(test)
    return runner.failures, runner.tries


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_gives_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = import_module(EXAMPLES[name])
    failed, tried = failures(getattr(module, name), module)
    assert tried and not failed


def test_an_example_can_fail(capsys):
    def wrong():
        """Wrong.

        >>> 1 + 1
        3
        """

    assert failures(wrong, doctest)[0] == 1


def test_every_function_of_the_package_has_one():
    functions = {name for name in mrfs_ros.__all__ if name != "MrfsError"}
    assert functions <= set(EXAMPLES)


@pytest.mark.parametrize("name", ["load_engine", "load_network", "read_checkpoint", "mrfs_loss", "fusion_metrics"])
def test_docstrings_name_arguments_results_and_errors(name):
    text = getdoc(getattr(import_module(EXAMPLES[name]), name))
    assert all(f"\n{part}:\n" in text for part in ("Args", "Returns", "Raises", "Example"))
