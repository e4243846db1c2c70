"""A whole run over a bag: what comes out, in which order, from which part of the bag."""

from __future__ import annotations

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from bags import (
    COMPRESSED,
    IMAGE,
    LAG_NS,
    PERIOD_NS,
    START_NS,
    STORE,
    TOPICS,
    images,
    message,
    numbered,
    pairs,
    read_bag,
    write_bag,
    write_ros1_bag,
)
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.journal import read_segments
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import NodeConfig
from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.engine import load_engine
from mrfs_ros.engine.configured_engine import configured_engine
from mrfs_ros.errors import ConfigError, ImageError

FUSED, SEGMENTATION, OVERLAY = "/mrfs/fused", "/mrfs/segmentation", "/mrfs/overlay"


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / "drive", pairs(20))


def run(bag, tmp_path, engine=None, **settings):
    said = []
    asked = BagSettings(source=str(bag), **{"out": str(tmp_path / "out"), **settings})
    summary = run_bag(asked, engine or StubEngine(), say=said.append)
    return summary, said


def rgb_stamps(count, step=1):
    return [START_NS + i * PERIOD_NS for i in range(0, count, step)]


def test_every_pair_is_answered_under_its_stamp(bag, tmp_path):
    summary, said = run(bag, tmp_path)
    assert (summary.pairs, summary.answered, summary.exit_code) == (20, 20, 0)
    assert (summary.skipped, summary.damage, summary.resumed_at) == ({}, (), 0)
    assert said == [f"{bag}: rgb from /rgb/image, thermal from /thermal/image"]
    made = read_bag(tmp_path / "out")
    assert set(made) == {FUSED, SEGMENTATION}
    fused, labels = images(made[FUSED]), images(made[SEGMENTATION])
    assert list(fused) == list(labels) == rgb_stamps(20)
    for i, stamp_ns in enumerate(fused):
        rgb, thermal = numbered(i)
        assert (fused[stamp_ns] == rgb).all()
        assert (labels[stamp_ns] == thermal // 32).all()
    # recorded when the pair was complete: with the thermal image
    assert [log_ns for log_ns, _ in made[FUSED]] == [stamp_ns + LAG_NS for stamp_ns in fused]
    first = STORE.deserialize_cdr(made[FUSED][0][1], IMAGE)
    assert (first.header.frame_id, first.encoding, first.step) == ("rgb_frame", "rgb8", 192)
    assert not list(tmp_path.glob("*.partial*"))  # nothing is left over


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_bag_says_what_made_it(bag, tmp_path, storage):
    run(bag, tmp_path, storage=storage)
    metadata = yaml.safe_load((tmp_path / "out" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert metadata["storage_identifier"] == storage
    facts = metadata["custom_data"]
    assert facts["mrfs_source"] == "drive" and facts["mrfs_classes"].startswith("background,car,person,")
    assert "stub weights" in facts["mrfs_network"] and facts["mrfs_version"]
    assert len(read_bag(tmp_path / "out")[FUSED]) == 20


def test_reference_camera_offset_and_slop_are_the_nodes(bag, tmp_path):
    node = NodeConfig(reference_camera="thermal")
    run(bag, tmp_path, node=node)
    assert next(iter(images(read_bag(tmp_path / "out")[FUSED]))) == START_NS + LAG_NS
    summary, said = run(bag, tmp_path, node=replace(node, slop_s=0.003), out=str(tmp_path / "narrow"))
    assert summary.pairs == 0
    assert "no pairs: 20 rgb and 20 thermal images were read, the nearest stamps 0.004 s apart" in said[-1]
    late = NodeConfig(slop_s=0.003, thermal_time_offset_s=-0.004)
    assert run(bag, tmp_path, node=late, out=str(tmp_path / "offset"))[0].pairs == 20


def test_objects_of_a_class_that_is_none_are_refused(bag, tmp_path):
    with pytest.raises(ConfigError, match=r"object_classes: 'cars' is no class of MFNet: did you mean car, car_stop\?"):
        run(bag, tmp_path, node=NodeConfig(object_classes="cars"))
    assert [path.name for path in tmp_path.iterdir()] == ["drive"]


def test_a_scale_that_the_unit_does_not_use_is_told(bag, tmp_path):
    said = run(bag, tmp_path, node=NodeConfig(thermal_scale=0.04))[1]
    assert said[-1] == "thermal_scale has no effect: it is for thermal_unit: scaled, not counts"


@pytest.mark.parametrize("batch", [1, 3])
def test_temporal_smoothing_goes_from_pair_to_pair(bag, tmp_path, tiny_weights, batch):
    shares = {}
    for smoothing in (0.0, 0.9):
        node = NodeConfig(weights=str(tiny_weights), device="cpu", temporal_smoothing=smoothing)
        out = tmp_path / f"smoothed_{smoothing}"
        engine = configured_engine(node)
        run(bag, tmp_path, engine, node=node, out=str(out), batch=batch)
        shares[smoothing] = np.stack(list(images(read_bag(out)[SEGMENTATION]).values()))
    assert (shares[0.0][0] == shares[0.9][0]).all()
    assert (shares[0.0] != shares[0.9]).mean() > 0.01
    engine = load_engine(tiny_weights, device="cpu", temporal_smoothing=0.9)
    alone = [engine(np.ascontiguousarray(rgb), thermal).labels for rgb, thermal in map(numbered, range(20))]
    assert (np.stack(alone) == shares[0.9]).all()


def test_time_range_and_every_nth(bag, tmp_path):
    run(bag, tmp_path, every=3)
    assert list(images(read_bag(tmp_path / "out")[FUSED])) == rgb_stamps(20, 3)
    run(bag, tmp_path, start_s=0.5, end_s=0.9, out=str(tmp_path / "part"))
    assert list(images(read_bag(tmp_path / "part")[FUSED])) == rgb_stamps(20)[5:9]
    with pytest.raises(ConfigError, match=r"start_s: the bag ends after 1\.9 s, before 60 s"):
        run(bag, tmp_path, start_s=60.0, out=str(tmp_path / "late"))


def test_an_image_without_a_partner_is_counted_once_whatever_pairs_are_left_out(tmp_path):
    """Thermal of pairs 2, 3 and 9 is lost; of the other nine, every second one is answered."""
    bag = write_bag(tmp_path / "drive", [entry for i, entry in enumerate(pairs(12)) if i not in (5, 7, 19)])
    run(bag, tmp_path, every=2, csv=str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["rgb_stamp_ns"]) for row in rows] == [rgb_stamps(12)[i] for i in (0, 4, 6, 8, 11)]
    assert [row["unpaired_rgb"] for row in rows] == ["0", "2", "0", "0", "1"]


@pytest.mark.parametrize("workers, batch", [(1, 1), (4, 1), (2, 4), (3, 64)])
def test_order_and_bytes_do_not_depend_on_workers_and_batch(bag, tmp_path, workers, batch):
    run(bag, tmp_path, out=str(tmp_path / "plain"))
    run(bag, tmp_path, workers=workers, batch=batch)
    assert read_bag(tmp_path / "out") == read_bag(tmp_path / "plain")


def test_a_batch_holds_images_of_one_size(tmp_path):
    mixed = [*pairs(3), *pairs(3, first=3, size=(32, 40)), *pairs(2, first=6)]
    summary, _ = run(write_bag(tmp_path / "drive", mixed), tmp_path, batch=4)
    fused = images(read_bag(tmp_path / "out")[FUSED])
    assert [image.shape[:2] for image in fused.values()] == [(48, 64)] * 3 + [(32, 40)] * 3 + [(48, 64)] * 2
    assert summary.answered == 8


def test_topics_are_copied_as_they_are(bag, tmp_path):
    run(bag, tmp_path, copy=("/thermal/image",), every=2)
    original, made = read_bag(bag), read_bag(tmp_path / "out")
    assert made["/thermal/image"] == original["/thermal/image"]
    assert set(made) == {FUSED, SEGMENTATION, "/thermal/image"}
    run(bag, tmp_path, copy=("all",), out=str(tmp_path / "all"))
    made = read_bag(tmp_path / "all")
    assert {topic: made[topic] for topic in TOPICS} == original
    for wrong, text in ((("/tf",), "the bag has /rgb/image, /thermal/image"),):
        with pytest.raises(ConfigError, match=text):
            run(bag, tmp_path, copy=wrong, out=str(tmp_path / "wrong"))


def test_a_recording_of_the_node_itself_is_read_again(bag, tmp_path):
    run(bag, tmp_path, copy=("all",))
    summary, _ = run(tmp_path / "out", tmp_path, copy=("all",), out=str(tmp_path / "again"))
    assert summary.answered == 20
    assert read_bag(tmp_path / "again") == read_bag(tmp_path / "out")
    with pytest.raises(ConfigError, match="results of its own on these topics"):
        run(tmp_path / "out", tmp_path, copy=(FUSED,), out=str(tmp_path / "clash"))


def test_ros1_bags_give_the_same_bytes(bag, tmp_path):
    run(bag, tmp_path, copy=("all",))
    run(write_ros1_bag(tmp_path / "drive.bag", 20), tmp_path, copy=("all",), out=str(tmp_path / "one"))
    assert read_bag(tmp_path / "one") == read_bag(tmp_path / "out")


@pytest.mark.parametrize("coding", ["png", "jpeg"])
def test_compressed_images_in(tmp_path, coding):
    topics = ("/camera/color/image_raw/compressed", "/boson/image_raw/compressed")
    summary, _ = run(write_bag(tmp_path / "drive", pairs(5, topics=topics, coding=coding)), tmp_path)
    assert summary.answered == 5
    fused = images(read_bag(tmp_path / "out")[FUSED])
    differences = [np.abs(image.astype(int) - numbered(i)[0]).max() for i, image in enumerate(fused.values())]
    assert max(differences) == 0 if coding == "png" else len(fused) == 5


def test_compressed_results_and_overlay(bag, tmp_path):
    run(bag, tmp_path, compressed=True, overlay=True)
    made = read_bag(tmp_path / "out")
    assert set(made) == {f"{topic}/compressed" for topic in (FUSED, SEGMENTATION, OVERLAY)}
    mask = STORE.deserialize_cdr(made[f"{SEGMENTATION}/compressed"][7][1], COMPRESSED)
    assert mask.format == "png"
    assert (cv2.imdecode(mask.data, cv2.IMREAD_UNCHANGED) == numbered(7)[1] // 32).all()  # ids survive
    assert STORE.deserialize_cdr(made[f"{FUSED}/compressed"][0][1], COMPRESSED).format == "jpeg"


def test_image_files_and_table(bag, tmp_path):
    summary, _ = run(bag, tmp_path, out="", frames=str(tmp_path / "files"), csv=str(tmp_path / "a/table.csv"))
    assert summary.results == (str(tmp_path / "files"), str(tmp_path / "a/table.csv"))
    names = sorted(path.name for path in (tmp_path / "files").iterdir())
    assert len(names) == 60 and names[:3] == ["000000_fused.png", "000000_labels.png", "000000_overlay.png"]
    assert (cv2.imread(str(tmp_path / "files/000003_fused.png"))[:, :, ::-1] == numbered(3)[0]).all()
    rows = list(csv.DictReader((tmp_path / "a/table.csv").open()))
    assert [int(row["rgb_stamp_ns"]) for row in rows] == rgb_stamps(20)
    assert {row["gap_ms"] for row in rows} == {"4.000"}
    thermal = numbered(4)[1]
    assert float(rows[4]["share car"]) == pytest.approx((thermal // 32 == 1).mean(), abs=1e-6)
    shares = [float(row[name]) for row in rows for name in row if name.startswith("share ")]
    assert sum(shares) == pytest.approx(20, abs=1e-3)
    assert float(rows[0]["SD"]) > 0 and rows[0]["problem"] == ""


def test_pairs_are_a_folder_to_train_on(bag, tmp_path):
    summary, _ = run(bag, tmp_path, out="", pairs=str(tmp_path / "farm"), every=3)
    assert summary.results == (str(tmp_path / "farm"),)
    farm = PairDataset(DatasetConfig(root=str(tmp_path / "farm"), split="all"), None)
    assert [pair.name for pair in farm] == [f"{i:06d}" for i in range(7)]
    for i, pair in enumerate(farm):
        rgb, thermal = numbered(3 * i)
        assert (pair.rgb == rgb).all() and (pair.thermal == thermal).all()


def test_all_metrics_are_those_of_the_evaluation(bag, tmp_path):
    from mrfs_ros.camera.gray import to_gray
    from mrfs_ros.evaluation.metrics import fusion_metrics

    run(bag, tmp_path, out="", csv=str(tmp_path / "table.csv"), metrics="all", end_s=0.25)
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    rgb, thermal = numbered(2)
    for name, value in fusion_metrics(to_gray(rgb), to_gray(rgb), thermal).items():
        assert rows[2][name] == (f"{value:.6g}" if np.isfinite(value) else "")


def test_what_cannot_be_answered_is_counted_and_the_rest_goes_on(tmp_path):
    def messages():
        for i, (topic, log_ns, kind, content) in enumerate(pairs(10)):
            if i == 4:  # rgb of pair 2
                content = replace(content, encoding="16SC1")
            if i == 9:  # thermal of pair 4
                content = replace(content, height=40, data=content.data[: 40 * 64])
            yield topic, log_ns, kind, content

    summary, said = run(
        write_bag(tmp_path / "drive", messages()), tmp_path, StubEngine(fail_every=5), csv=str(tmp_path / "table.csv")
    )
    assert summary.skipped == {"rgb_encoding": 1, "size_mismatch": 1, "engine_error": 1}
    assert (summary.pairs, summary.answered, summary.exit_code) == (8, 7, 3)
    assert any("1 images skipped (rgb_encoding): rgb image: expected encoding rgb8" in line for line in said)
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["problem"] for row in rows if row["problem"]] == ["the engine failed: ValueError: oops"]
    assert rows[4]["SD"] == ""


class Picky(StubEngine):
    """Refuses pairs 3, 10 and 17, alone and in batches."""

    def __call__(self, rgb, thermal):
        if rgb[0, 0, 2] % 7 == 3:
            raise ImageError("not this one", "bad_image")
        return super().__call__(rgb, thermal)


@pytest.mark.parametrize("batch", [1, 4])
def test_one_bad_frame_does_not_take_its_batch_along(bag, tmp_path, batch):
    summary, _ = run(bag, tmp_path, Picky(), batch=batch)
    assert (summary.skipped, summary.answered) == ({"bad_image": 3}, 17)
    missing = {START_NS + i * PERIOD_NS for i in (3, 10, 17)}
    assert set(rgb_stamps(20)) - set(images(read_bag(tmp_path / "out")[FUSED])) == missing


def test_a_damaged_message_is_counted(tmp_path):
    good = list(pairs(4))
    bag = tmp_path / "drive"
    write_bag(bag, good)
    raw = (bag / "drive.mcap").read_bytes()
    encoding = raw.find(b"rgb8", raw.find(b"rgb_frame"))
    length = encoding - 4  # of the string "rgb8": now beyond the message's end
    (bag / "drive.mcap").write_bytes(raw[:length] + b"\xff\xff\xff\x7f" + raw[length + 4 :])
    summary, _ = run(bag, tmp_path)
    assert (summary.answered, summary.skipped, summary.exit_code) == (3, {"damaged_message": 1}, 3)


def test_a_cut_bag_gives_what_is_there(tmp_path):
    bag = write_bag(tmp_path / "drive", pairs(60, size=(96, 128)))
    with (bag / "drive.mcap").open("r+b") as file:
        file.truncate(1_600_000)
    summary, said = run(bag, tmp_path)
    assert 15 <= summary.answered <= 33 and summary.exit_code == 3
    assert summary.damage and all(line in said for line in summary.damage)
    assert len(read_bag(tmp_path / "out")[FUSED]) == summary.answered


def test_a_missing_camera(tmp_path):
    one = [entry for i, entry in enumerate(pairs(40)) if i < 10 or entry[0] == "/rgb/image"]
    bag = write_bag(tmp_path / "drive", one)
    assert run(bag, tmp_path)[0].answered == 5
    node = NodeConfig(on_missing="rgb_only", missing_timeout_s=0.5)
    results = {"out": str(tmp_path / "rgb"), "csv": str(tmp_path / "table.csv"), "pairs": str(tmp_path / "pairs")}
    summary, said = run(bag, tmp_path, node=node, **results)
    assert 25 <= summary.answered <= 36
    assert any("thermal camera lost" in line for line in said)
    assert [len(list((tmp_path / "pairs" / camera).iterdir())) for camera in ("rgb", "thermal")] == [5, 5]
    labels = images(read_bag(tmp_path / "rgb")[SEGMENTATION])
    assert not labels[START_NS + 39 * PERIOD_NS].any()  # thermal was black
    assert list(csv.DictReader((tmp_path / "table.csv").open()))[-1]["gap_ms"] == ""


def test_a_bag_that_loops_is_one_run(tmp_path):
    """Stamps that start again, as in a recording of a bag that was played twice."""
    twice = [
        (topic, log_ns + loop * 10**10, kind, content)
        for loop in range(2)
        for topic, log_ns, kind, content in pairs(12)
    ]
    summary, said = run(write_bag(tmp_path / "drive", twice), tmp_path)
    assert summary.answered == 24
    assert sum("time jumped back" in line for line in said) == 1


def test_swapped_or_missing_cameras_say_what_to_do(tmp_path):
    for topics, text in (
        (("/a", "/b"), "no thermal images found; choose with --thermal-topic TOPIC.*/a .Image, 2., /b .Image, 2."),
        (("/left/rgb", "/right/rgb"), "no thermal images found"),
    ):
        bag = write_bag(tmp_path / topics[0].strip("/").replace("/", "_"), pairs(2, topics=topics))
        with pytest.raises(ConfigError, match=text):
            run(bag, tmp_path)
    summary, _ = run(tmp_path / "a", tmp_path, rgb_topic="/a", thermal_topic="/b")
    assert summary.answered == 2


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"out": ""}, "no result is asked for"),
        ({"out": "{tmp}/x", "video": "{tmp}/x"}, "must be apart, but .*x is or lies in"),
        ({"out": "{tmp}/drive"}, "must be apart"),
        ({"out": "{tmp}/o", "csv": "{tmp}/o/t.csv"}, "o/t.csv is or lies in .*/o"),
        ({"out": "{tmp}/drive/out"}, "drive/out is or lies in .*/drive"),
        ({"out": "{tmp}/q", "csv": "{tmp}/q.partial"}, "must be apart"),
        ({"video": "{tmp}/z", "csv": "{tmp}/z.partial.journal", "out": ""}, "must be apart"),
        ({"out": "."}, "is no name for a result"),
        ({"out": "/"}, "is no name for a result"),
        ({"csv": "{tmp}/" + 300 * "x"}, "File name too long"),
        ({"end_s": float("inf")}, "end_s: expected 0.0 to 1000000000.0, got inf"),
        ({"out": "{tmp}/there"}, "there: exists already: remove it or name another"),
        ({"out": "{tmp}/file/out"}, "results cannot be written: File exists"),
    ],
)
def test_targets_that_cannot_be(bag, tmp_path, settings, text):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match=text):
        placed = {name: value.format(tmp=tmp_path) for name, value in settings.items() if isinstance(value, str)}
        run(bag, tmp_path, **{**settings, **placed})
    assert not (tmp_path / "out").exists()


def bag_with_types(path, definitions: dict[str, tuple[str, dict]]):
    """Three pairs, and one message on a topic of each type that is defined here."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    store = get_typestore(Stores.LATEST)
    extra = []
    for number, (kind, (text, values)) in enumerate(definitions.items()):
        own = get_typestore(Stores.EMPTY)
        own.register(get_types_from_msg(text, kind))
        extra.append((f"/extra{number}", kind, own, own.serialize_cdr(own.types[kind](**values), kind)))
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for topic, log_ns, kind, content in pairs(3):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], log_ns, store.serialize_cdr(content, kind))
        for topic, kind, own, raw in extra:
            writer.write(writer.add_connection(topic, kind, typestore=own), START_NS + 10**9, raw)
    return path


def schemas(path) -> dict[str, str]:
    with (path / f"{path.name}.mcap").open("rb") as file:
        return {schema.name: schema.data.decode() for schema in make_reader(file).get_summary().schemas.values()}


def test_types_are_copied_as_the_bag_defines_them(tmp_path):
    """A type of the robot's own, and a known one as it was in another year."""
    definitions = {
        "robot_msgs/msg/Road": ("float32 grip\nstring surface\n", {"grip": 0.5, "surface": "wet"}),
        "geometry_msgs/msg/Point": ("float64 x\nfloat64 y\n", {"x": 1.0, "y": 2.0}),
    }
    bag = bag_with_types(tmp_path / "drive", definitions)
    run(bag, tmp_path, copy=("/extra0", "/extra1"))
    made, original = read_bag(tmp_path / "out"), read_bag(bag)
    for number, (kind, (text, _)) in enumerate(definitions.items()):
        assert made[f"/extra{number}"] == original[f"/extra{number}"]
        assert schemas(tmp_path / "out")[kind] == text


def test_what_nobody_defines_is_left_out_of_all_and_refused_by_name(tmp_path):
    bag = bag_with_types(tmp_path / "drive", {"robot_msgs/msg/Road": ("float32 grip\n", {"grip": 0.5})})
    content = (bag / "drive.mcap").read_bytes()
    (bag / "drive.mcap").write_bytes(content.replace(b"float32 grip\n", b"float32 !!ip\n"))
    summary, said = run(bag, tmp_path, copy=("all",))
    assert summary.exit_code == 0 and any(line.startswith("/extra0: the bag's definition of") for line in said)
    assert set(read_bag(tmp_path / "out")) == {FUSED, SEGMENTATION, *TOPICS}
    with pytest.raises(ConfigError, match="/extra0: the bag's definition of robot_msgs/msg/Road is damaged"):
        run(bag, tmp_path, copy=("/extra0",), out=str(tmp_path / "again"))


def test_latched_topics_stay_latched_and_hold_for_a_part_of_the_bag(tmp_path):
    """Static transforms are sent once, at the start, for all that come later."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
    from rosbags.rosbag2 import Reader, StoragePlugin, Writer

    none = QosTime(0, 0)
    kinds = QosHistory.KEEP_LAST, 1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL
    latched = Qos(*kinds, none, none, QosLiveliness.AUTOMATIC, none, False)
    empty = STORE.serialize_cdr(STORE.types["tf2_msgs/msg/TFMessage"](transforms=[]), "tf2_msgs/msg/TFMessage")
    bag = tmp_path / "drive"
    with Writer(bag, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        tf = writer.add_connection(
            "/robot/transforms", "tf2_msgs/msg/TFMessage", typestore=STORE, offered_qos_profiles=[latched]
        )
        writer.write(tf, START_NS, empty)
        connections = {}
        for topic, log_ns, kind, content in pairs(20):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], log_ns, STORE.serialize_cdr(content, kind))
    run(bag, tmp_path, copy=("all",), start_s=1.0)
    assert read_bag(tmp_path / "out")["/robot/transforms"] == [(START_NS, bytes(empty))]
    with Reader(tmp_path / "out") as made:
        durable = {c.topic: c.ext.offered_qos_profiles[0].durability for c in made.connections}
    assert durable["/robot/transforms"] == QosDurability.TRANSIENT_LOCAL
    assert durable["/rgb/image"] == durable[FUSED] == QosDurability.VOLATILE


def test_without_an_answer_there_is_no_video_but_the_reason(bag, tmp_path):
    summary, said = run(
        bag, tmp_path, StubEngine(fail_every=1), out="", video=str(tmp_path / "v.mp4"), csv=str(tmp_path / "t.csv")
    )
    assert (summary.answered, summary.exit_code) == (0, 3)
    assert summary.results == (str(tmp_path / "t.csv"),)
    assert "20 pairs skipped (engine_error): the engine failed: ValueError: oops" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive", "t.csv"]


def test_the_reason_of_refused_pairs_is_told_and_not_the_slop(tmp_path):
    low = list(pairs(3, size=(40, 64)))
    mixed = [entry if i % 2 == 0 else low[i] for i, entry in enumerate(pairs(3))]
    summary, said = run(write_bag(tmp_path / "drive", mixed), tmp_path)
    assert summary.skipped == {"size_mismatch": 3}
    assert any("rgb is 48x64" in line for line in said) and not any("slop" in line for line in said)


def test_progress_is_told(bag, tmp_path):
    told = []
    run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out")), StubEngine(), on_progress=told.append)
    assert [(p.done, p.expected, p.resumed_at) for p in told] == [(i, 20, 0) for i in range(1, 21)]
    told.clear()
    third = BagSettings(source=str(bag), out=str(tmp_path / "third"), every=3)
    run_bag(third, StubEngine(), on_progress=told.append)
    assert [(p.done, p.expected) for p in told] == [(i, 7) for i in range(1, 8)]


def test_the_first_text_of_each_reason_is_told(bag, tmp_path):
    class Numbering(StubEngine):
        def __call__(self, rgb, thermal):
            raise ValueError(f"blue is {rgb[0, 0, 2]}")

    summary, said = run(bag, tmp_path, Numbering())
    assert summary.skipped == {"engine_error": 20}
    assert [text for text in said if "20 pairs skipped (engine_error): " in text and "blue is 0" in text]


def test_the_journal_is_the_only_extra_folder_of_a_run_in_progress(bag, tmp_path):
    seen = []

    def look(progress):
        seen.append(sorted(path.name for path in tmp_path.iterdir() if path.name != "drive"))
        entries = [entry for segment in read_segments(tmp_path / "out.partial.journal") for entry in segment.entries]
        assert [entry.index for entry in entries] == list(range(len(entries)))
        assert progress.done - 1 <= len(entries) <= progress.done, "the newest may be on its way to the disk"

    asked = BagSettings(source=str(bag), out=str(tmp_path / "out"), segment_s=0.0)
    run_bag(asked, StubEngine(), on_progress=look)
    assert set(map(tuple, seen)) == {("out.partial", "out.partial.journal")}


def test_messages_of_an_odd_encoding_are_refused_like_in_the_node(tmp_path):
    kind, content = message(numbered(0)[0], START_NS, "rgb")
    entries = [("/rgb/image", START_NS, kind, replace(content, encoding="nv42")), *list(pairs(1))[1:]]
    summary, said = run(write_bag(tmp_path / "drive", entries), tmp_path)
    assert summary.skipped == {"rgb_encoding": 1}
    assert any("got 'nv42'; let the camera driver or image_proc send rgb8" in line for line in said)
