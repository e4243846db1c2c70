"""mrfs bag: from the command line to files, with a real network."""

from __future__ import annotations

import subprocess
import sys

import av
import numpy as np
import pytest
from bags import images, pairs, read_bag, write_bag
from mcap.reader import make_reader

from mrfs_ros.cli.main import main
from mrfs_ros.engine import load_engine

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("source") / "drive", pairs(6, size=(96, 128)))


@pytest.fixture
def mrfs_bag(bag, tmp_path, tiny_weights, monkeypatch, capsys):
    """Runs ``mrfs bag`` in an empty folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*options: object, source=bag, more: tuple = ()) -> tuple[int, str, str]:
        network = ("--weights", str(tiny_weights), "--backend", "eager")
        code = main(["bag", str(source), *map(str, more), *network, *map(str, options)])
        return code, *capsys.readouterr()

    return run


def test_all_results_at_once(mrfs_bag, bag, tmp_path, tiny_weights):
    targets = {
        "out": "made", "video": "v.mp4", "frames": "png", "pairs": "pairs", "csv": "t.csv", "report": "r.html",
        "rerun": "r.rrd",
    }  # fmt: skip
    code, out, _ = mrfs_bag(*(word for name, target in targets.items() for word in (f"--{name}", target)))
    assert code == 0
    assert "6 of 6 pairs answered" in out
    assert all(f"made {target}\n" in out for target in targets.values())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(targets.values())
    engine = load_engine(tiny_weights, backend="eager")
    made = images(read_bag(tmp_path / "made")["/mrfs/segmentation"])
    inputs = read_bag(bag)
    for labels, rgb, thermal in zip(
        made.values(), *(images(inputs[t]).values() for t in ("/rgb/image", "/thermal/image"))
    ):
        assert (labels == engine(rgb, thermal).labels).all()
    with av.open("v.mp4") as video:
        assert (video.streams.video[0].codec_context.name, float(video.streams.video[0].average_rate)) == (
            "h264",
            pytest.approx(10, rel=0.02),
        )
        assert sum(1 for _ in video.decode(video=0)) == 6
    assert "stub" not in (tmp_path / "r.html").read_text()[-3000:]


def test_label_groups_are_in_mask_and_table(mrfs_bag, bag, tmp_path, tiny_weights):
    road = tmp_path / "road.yaml"
    road.write_text("groups: {5: {name: any, classes: [bike, color_cone]}}")
    code, out, _ = mrfs_bag("--out", "made", "--csv", "t.csv", "--label-groups", road)
    assert code == 0 and "6 classes (MFNet by road.yaml)" in out
    engine = load_engine(tiny_weights, backend="eager", label_groups=road)
    inputs = [images(read_bag(bag)[topic]).values() for topic in ("/rgb/image", "/thermal/image")]
    made = images(read_bag(tmp_path / "made")["/mrfs/segmentation"]).values()
    for labels, rgb, thermal in zip(made, *inputs):
        assert (labels == engine(rgb, thermal).labels).all() and set(np.unique(labels)) <= {0, 5}
    head = (tmp_path / "t.csv").read_text().splitlines()[0]
    assert "share background,share unused_1" in head and "share unused_4,share any,share 255" in head


def test_the_bag_is_an_mcap_for_every_reader(mrfs_bag, tmp_path):
    """The format's own library finds index, schemas and messages."""
    assert mrfs_bag("--out", "made", "--copy", "all")[0] == 0
    with (tmp_path / "made/made.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert reader.get_header().profile == "ros2"
        assert summary.statistics.message_count == 24 and summary.chunk_indexes
        assert {(s.name, s.encoding) for s in summary.schemas.values()} == {("sensor_msgs/msg/Image", "ros2msg")}
        assert {c.message_encoding for c in summary.channels.values()} == {"cdr"}
        assert sum(1 for _ in reader.iter_messages(["/mrfs/fused"])) == 6


def test_interrupted_and_called_again(mrfs_bag, tmp_path, monkeypatch):
    from mrfs_ros.bag.writing import results

    write = results.Results.write

    def interrupt(self, item):
        entry = write(self, item)
        if entry is not None and entry.index == 3:
            raise KeyboardInterrupt
        return entry

    with monkeypatch.context() as patched:
        patched.setattr(results.Results, "write", interrupt)
        code, _, err = mrfs_bag("--out", "made")
    assert (code, "interrupted" in err) == (130, True)
    code, out, err = mrfs_bag("--out", "made")
    assert code == 0 and "going on after the 4 pairs of an earlier run" in err
    assert "6 of 6 pairs answered" in out
    assert len(read_bag(tmp_path / "made")["/mrfs/fused"]) == 6
    code, _, err = mrfs_bag("--out", "made")
    assert (code, err) == (2, "mrfs: error: made: exists already: remove it or name another\n")


def test_damage_is_told_and_exits_with_3(mrfs_bag, tmp_path):
    source = write_bag(tmp_path / "drive", pairs(60, size=(96, 128)))
    with (source / "drive.mcap").open("r+b") as file:
        file.truncate(1_200_000)
    code, out, err = mrfs_bag("--csv", "t.csv", source=source)
    assert code == 3
    assert "part of the bag could not be read, see above" in err and "of 120 messages are lost" in err
    assert "made t.csv" in out


def test_parameters_of_the_robot(mrfs_bag, tmp_path):
    (tmp_path / "robot.yaml").write_text("/**:\n  ros__parameters:\n    slop_s: 0.002\n    reference_camera: thermal\n")
    code, out, err = mrfs_bag("--csv", "t.csv", "--params-file", "robot.yaml")
    assert code == 3 and "0 of 0 pairs answered" in out and "slop_s = 0.002" in err
    code, out, _ = mrfs_bag("--csv", "u.csv", "--params-file", "robot.yaml", "--slop", "0.01")
    assert "6 of 6" in out
    first = (tmp_path / "u.csv").read_text().splitlines()[1].split(",")
    assert first[1] == first[3]  # the stamp is the thermal image's
    shipped = main.__code__.co_filename.replace("mrfs_ros/cli/main.py", "config/mrfs.yaml")
    assert "6 of 6" in mrfs_bag("--csv", "v.csv", "--params-file", shipped)[1]


@pytest.mark.parametrize(
    "content, text",
    [
        (None, "robot.yaml: cannot be read (No such file or directory): expected a ROS 2 params file"),
        ("- a list", "robot.yaml: is no ROS 2 params file"),
        ("{", "robot.yaml: is no ROS 2 params file"),
        ("/**:\n  ros__parameters:\n    slopp: 1.0\n", "unknown setting slopp: expected one of autostart"),
        ("/**:\n  ros__parameters:\n    slop_s: -1.0\n", "slop_s: expected 0.0001 to 10.0, got -1.0"),
        ("/**:\n  ros__parameters:\n    slop_s: !!python/object/apply:os.getcwd []\n", "is no ROS 2 params file"),
    ],
)
def test_parameters_that_cannot_be_used(mrfs_bag, tmp_path, content, text):
    if content:
        (tmp_path / "robot.yaml").write_text(content)
    code, _, err = mrfs_bag("--csv", "t.csv", "--params-file", "robot.yaml")
    assert code == 2 and text in err


@pytest.mark.parametrize(
    "options, text",
    [
        ((), "no result is asked for: name at least one of --out, --video"),
        (("--csv", "t.csv", "--start", "9", "--end", "3"), "end_s: expected more than start_s (9 s), got 3 s"),
        (
            ("--csv", "t.csv", "--rgb-topic", "/nothing"),
            "--rgb-topic /nothing: the bag has no images on it; image topics",
        ),
        (("--csv", "t.csv", "--batch", "1000"), "batch: expected 1 to 256, got 1000"),
        (("--rerun", "live"), "no Rerun viewer listens at 127.0.0.1:9876"),
    ],
)
def test_what_cannot_be_done_is_one_line(mrfs_bag, options, text):
    code, _, err = mrfs_bag(*options)
    assert code == 2
    assert text in err.splitlines()[-1]


def test_a_bag_that_is_none(mrfs_bag, tmp_path):
    code, _, err = mrfs_bag("--csv", "t.csv", source=tmp_path / "nowhere")
    assert (code, err.splitlines()[-1]) == (2, f"mrfs: error: {tmp_path / 'nowhere'}: no such bag")
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(
    "package, options, line",
    [
        ("rosbags", ("--csv", "t.csv"), "pip install 'mrfs_ros[bags]'"),
        ("av", ("--video", "v.mp4"), "pip install 'mrfs_ros[video]'"),
        ("plotly", ("--report", "r.html"), "pip install 'mrfs_ros[report]'"),
        ("rerun", ("--rerun", "r.rrd"), "pip install 'mrfs_ros[rerun]'"),
        ("yaml", ("--csv", "t.csv", "--params-file", "robot.yaml"), "pip install 'mrfs_ros[bags]'"),
    ],
)
def test_packages_that_are_missing_are_named_with_their_line(mrfs_bag, tmp_path, monkeypatch, package, options, line):
    (tmp_path / "robot.yaml").touch()
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, _, err = mrfs_bag(*options)
    assert code == 2 and line in err.splitlines()[-1]


def test_the_command_needs_no_ros(bag, tmp_path, tiny_weights):
    program = (
        "import sys; sys.modules['rclpy'] = None; eager = ['--backend', 'eager']\nfrom mrfs_ros.cli.main import main\n"
        f"code = main(['bag', {str(bag)!r}, '--csv', 't.csv', '--weights', {str(tiny_weights)!r}, *eager])\n"
        "assert not {name for name in sys.modules if name.startswith(('sensor_msgs', 'rclpy.'))}\nsys.exit(code)"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_each_camera_in_a_bag_of_its_own(mrfs_bag, tmp_path):
    entries = list(pairs(6))
    rgb, thermal = (
        write_bag(tmp_path / name, [entry for entry in entries if name in entry[0]]) for name in ("rgb", "thermal")
    )
    code, out, err = mrfs_bag("--csv", "t.csv", source=rgb, more=(thermal,))
    assert (code, "6 of 6 pairs answered" in out, f"{rgb} and {thermal}: rgb from" in err) == (0, True, True)
    code, _, err = mrfs_bag("--csv", "u.csv", source=rgb)
    assert code == 2 and "name both: mrfs bag RGB_BAG THERMAL_BAG" in err


def test_images_without_a_partner_and_another_clock(mrfs_bag, tmp_path):
    entries = [entry for i, entry in enumerate(pairs(6)) if i != 5]
    source = write_bag(tmp_path / "lost", entries)
    code, out, err = mrfs_bag("--csv", "t.csv", source=source)
    assert code == 3 and "5 of 5 pairs answered" in out and "without a partner: 1 rgb, 0 thermal images" in out
    assert "images without a partner: 1 of 6 rgb, 0 of 5 thermal; no thermal image is left" in err
    assert "part of the images could not be paired, see above" in err
    code, out, _ = mrfs_bag("--csv", "u.csv", "--stamp", "recorded", "--slop", "0.003", source=source)
    assert code == 3 and "0 of 0 pairs answered" in out  # 4 ms apart by the time of recording too


def test_sections_of_the_params_file_for_others(mrfs_bag, tmp_path):
    text = "/**:\n  ros__parameters:\n    use_sim_time: true\nmrfs_node:\n  ros__parameters:\n    slop_s: 0.001\n"
    (tmp_path / "robot.yaml").write_text(text)
    code, out, err = mrfs_bag("--csv", "t.csv", "--params-file", "robot.yaml")
    assert code == 0 and "6 of 6" in out
    assert "mrfs: warning: robot.yaml: nothing of mrfs_node is taken: the node's name is /mrfs" in err
    (tmp_path / "robot.yaml").write_text(text.partition("\n")[2].partition("\n")[2].partition("\n")[2])
    code, _, err = mrfs_bag("--csv", "u.csv", "--params-file", "robot.yaml")
    assert code == 2 and "nothing of mrfs_node is taken" in err
