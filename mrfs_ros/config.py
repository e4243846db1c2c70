"""Configuration: every default of the project, once, in frozen dataclasses, and the one strict way to override them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from mrfs_ros.errors import ConfigError

Config = TypeVar("Config")
BACKENDS = ("auto", "eager", "torch", "torch-plain", "onnx", "openvino")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
OVERLAY_OPACITY = 0.5
MAX_IMAGE_PIXELS = 64_000_000
MAX_TEMPORAL_SMOOTHING = 0.95
THERMAL_WINDOWS = ("auto", "percentile", "fixed", "plateau")
VISUAL_ATTENTIONS = ("igm", "pooled", "transformer", "none")
SEMANTIC_ATTENTIONS = ("pc", "cross", "convolution", "none")
SCALED = "scaled"
OUTPUTS = (
    "segmentation", "segmentation_color", "overlay", "alignment", "confidence", "thermal", "fused",
    "segmentation/compressed", "overlay/compressed", "fused/compressed", "objects", "object_temperatures",
)  # fmt: skip
"""What is made of a pair, named as the topics below ``~/``."""
CONFIDENT_OUTPUTS = ("confidence", "objects", "object_temperatures")
"""Those that need the confidence of the classes."""
THERMAL_OUTPUTS = ("thermal", "objects", "object_temperatures")
"""Those that show degrees Celsius, where thermal values are temperatures."""
THERMAL_UNITS = ("counts", "centikelvin", "decikelvin", "kelvin", "celsius", SCALED)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What a network is built from; read off a checkpoint, so that nobody has to type it.

    ``visual_attention``: what joins the visual features, igm = the paper's IGM-Att; ``semantic_attention``: what makes
    the semantic ones, pc = PC-Att. The others are the paper's ablations (supplement, sections 2 to 4).
    """

    variant: str = "mit_b0"
    num_classes: int = 9
    head_width: int = 512
    batch_norm_eps: float = 1e-5
    dropout: float = 0.1
    drop_path: float = 0.1
    visual_attention: str = "igm"
    semantic_attention: str = "pc"

    @property
    def title(self) -> str:
        """The size, and in what the network is not the paper's."""
        kinds = {"visual_attention": self.visual_attention, "semantic_attention": self.semantic_attention}
        own = [f"{name} {kind}" for name, kind in kinds.items() if kind not in ("igm", "pc")]
        return f"{self.variant} with {' and '.join(own)}" if own else self.variant


def from_mapping(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Build dataclass ``kind`` from ``values`` over its defaults.

    ConfigError for a name that it lacks (listing the valid ones) or a value of another type than the default's;
    an int is welcome where a float is expected, and where a setting is ``whole``.
    """
    known = {f.name: f.default_factory() if f.default is MISSING else f.default for f in fields(kind)}
    unknown = sorted(map(str, set(values) - set(known)))
    if unknown:
        raise ConfigError(f"unknown setting {', '.join(unknown)}: expected one of {', '.join(known)}")
    checked = {}
    whole = {f.name for f in fields(kind) if f.metadata.get("whole")}
    for name, value in values.items():
        expected = type(known[name])
        if expected is float and type(value) is int:
            value = float(value)
        if name in whole and type(value) is int:
            value = str(value)
        if type(value) is not expected:
            raise ConfigError(f"{name}: expected {expected.__name__}, got {type(value).__name__} {value!r}")
        checked[name] = value
    return kind(**checked)


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    fixed: bool = False,
    once: bool = False,
    whole: bool = False,
) -> Any:
    """A dataclass field with what a user needs to know: text with unit, range or choices, when it is read.

    ``fixed``: when the node is configured; ``once``: at its start. ``whole``: a text for which a whole number may be
    given.
    """
    rules = {"low": low, "high": high, "choices": choices}
    metadata = {"text": text, **rules, "fixed": fixed, "once": once, "whole": whole}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: deepcopy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_settings(config: Any) -> None:
    """ConfigError for the first value of a dataclass of settings that leaves its range or choices."""
    for f in fields(config):
        value, rules = getattr(config, f.name), f.metadata
        if not rules:
            continue  # a field without rules, such as settings within settings
        if rules["choices"] and value not in rules["choices"]:
            raise ConfigError(f"{f.name}: expected one of {', '.join(rules['choices'])}, got {value!r}")
        low, high = rules["low"], rules["high"]
        if not (low is None or value >= low) or not (high is None or value <= high):  # NaN is in no range
            raise ConfigError(f"{f.name}: expected {low} to {high}, got {value}")


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """The ROS node's parameters; ``fixed`` ones are read at configure, ``once`` ones at the start."""

    autostart: bool = setting(
        True,
        "Configure and activate at the start; false = wait for the transitions of a lifecycle manager.",
        once=True,
    )

    weights: str = setting(
        "",
        "Weights file, .pth or .safetensors; empty = the model that comes along; untrained = random weights.",
        fixed=True,
    )
    classes: str = setting("", "Class set: MFNet, MSRS, FMB or PST900; empty = as the weights file says.", fixed=True)
    label_groups: str = setting(
        "",
        "YAML file by which classes are joined under new ids and names, in everything that shows classes; empty = the "
        "classes as they are.",
        fixed=True,
    )
    device: str = setting("auto", "auto (CUDA if there is one), cpu, cuda or cuda:N.", fixed=True)
    backend: str = setting(
        "auto", "What runs the network; auto = the fastest that works here.", choices=BACKENDS, fixed=True
    )
    precision: str = setting(
        "auto",
        "What backend torch computes in on CUDA; auto = fp16. On the CPU it is always fp32.",
        choices=PRECISIONS,
        fixed=True,
    )
    encoder_side: str = setting(
        "weights",
        "Short side [pixels] at which the encoders see a pair, which sets the speed; both heads work at full size. 0 = "
        "the image's own; weights = as the weights file says (smaller images: their own); auto (the live node "
        "alone) = the largest of a few that holds target_rate_hz, measured at the start.",
        fixed=True,
        whole=True,
    )
    target_rate_hz: float = setting(
        0.0,
        "Pairs a second [Hz] that encoder_side: auto shall hold at the warm-up size.",
        low=0.0,
        high=1000.0,
        fixed=True,
    )
    temporal_smoothing: float = setting(
        0.0,
        "Share [0 to 0.95] of the logits before in those of each pair: a steadier mask of a camera that stands still, "
        "which follows late what moves. 0 = off.",
        low=0.0,
        high=MAX_TEMPORAL_SMOOTHING,
        fixed=True,
    )
    warmup_height: int = setting(
        480, "Height [pixels] of the warm-up image: the cameras' real one.", low=32, high=8192, fixed=True
    )
    warmup_width: int = setting(
        640, "Width [pixels] of the warm-up image: the cameras' real one.", low=32, high=8192, fixed=True
    )
    rgb_transport: str = setting(
        "raw",
        "raw = sensor_msgs/Image, compressed = sensor_msgs/CompressedImage (JPEG, PNG).",
        choices=("raw", "compressed"),
        fixed=True,
    )
    thermal_transport: str = setting(
        "raw", "As rgb_transport, for the thermal camera.", choices=("raw", "compressed"), fixed=True
    )
    input_qos: str = setting(
        "sensor_data",
        "sensor_data = best effort (hears every publisher), reliable = asks for "
        "resends (hears reliable publishers only).",
        choices=("sensor_data", "reliable"),
        fixed=True,
    )
    qos_depth: int = setting(
        5, "Messages [count] that the middleware keeps for each input.", low=1, high=1000, fixed=True
    )
    output_qos: str = setting(
        "reliable", "QoS of the output images, depth 1.", choices=("reliable", "sensor_data"), fixed=True
    )
    max_image_pixels: int = setting(
        MAX_IMAGE_PIXELS,
        "Pixels [count] that a compressed image may have; larger ones are refused by their header, before they are "
        "decoded.",
        low=1024,
        high=2**31 - 1,
        fixed=True,
    )
    slop_s: float = setting(
        0.03,
        "Stamps of a pair differ by less than this [s]. Keep it below the cameras' period: above, one lost image can "
        "shift all later pairs by a frame.",
        low=0.0001,
        high=10.0,
    )
    sync_queue_size: int = setting(10, "Messages [count] of each input that wait for their partner.", low=1, high=1000)
    thermal_time_offset_s: float = setting(
        0.0, "Added to thermal stamps before pairing [s]; negative if thermal stamps are late.", low=-10.0, high=10.0
    )
    thermal_window: str = setting(
        "auto",
        "How thermal values become grey: auto = 8 bits as they come, deeper ones by percentile; percentile = the "
        "scene's own range, steady in time; fixed = thermal_low to thermal_high; plateau = percentile, levels spread "
        "by how many pixels have them.",
        choices=THERMAL_WINDOWS,
    )
    thermal_unit: str = setting(
        "counts",
        "What deep thermal values are: counts, centikelvin (100 a kelvin), decikelvin, kelvin, celsius, or scaled = "
        "thermal_scale * value + thermal_offset is degrees Celsius, of 8 bits too.",
        choices=THERMAL_UNITS,
    )
    thermal_scale: float = setting(
        1.0, "Degrees [K] of one step of a thermal value, for thermal_unit: scaled.", low=1e-6, high=1e6
    )
    thermal_offset: float = setting(
        0.0, "Temperature [degrees Celsius] of the thermal value 0, for thermal_unit: scaled.", low=-1e6, high=1e6
    )
    thermal_low: float = setting(
        0.0, "Value shown black [degrees Celsius, or counts], of window fixed.", low=-300.0, high=100000.0
    )
    thermal_high: float = setting(
        0.0, "Value shown white [degrees Celsius, or counts], of window fixed.", low=-300.0, high=100000.0
    )
    thermal_percentile: float = setting(
        1.0, "Pixels [%] beyond each end of the window, of percentile and plateau.", low=0.0, high=20.0
    )
    thermal_plateau: float = setting(
        0.02,
        "Share of the pixels [0 to 1] that one of 1024 levels counts for at most, of window plateau.",
        low=0.001,
        high=1.0,
    )
    thermal_rate: float = setting(
        0.01,
        "In a standing scene the window moves by this share of its width [1/s] at most; another scene is found "
        "within 2 s.",
        low=0.0,
        high=10.0,
    )
    thermal_invert: bool = setting(False, "Show hot dark: for cameras that send it so, to undo it.")
    calibration: str = setting(
        "",
        "File of mrfs calibrate, or of both cameras' models, that brings thermal onto the rgb image; empty = both "
        "cameras see the same.",
        fixed=True,
    )
    plane_distance_m: float = setting(
        0.0,
        "Distance [m] at which a calibration by both cameras' models is right; 0 = as its file says.",
        low=0.0,
        high=100000.0,
    )
    lazy: bool = setting(
        True, "Sleep, with no inference, while no output has a subscriber; false = work on every pair all the same."
    )
    max_rate_hz: float = setting(
        0.0,
        "Pairs a second [Hz, by their stamps] that are worked on at most; those that come sooner are left out. "
        "0 = no limit.",
        low=0.0,
        high=1000.0,
    )
    max_age_s: float = setting(
        0.0,
        "Pairs older than this [s, node clock minus stamp] are dropped; 0 = no limit. Leave 0 "
        "for bags played without a clock.",
        low=0.0,
        high=3600.0,
    )
    reference_camera: str = setting(
        "rgb",
        "Camera whose stamp the outputs carry; their frame_id is that of the camera whose pixel grid they are on: "
        "rgb's, without rgb (thermal_only) thermal's.",
        choices=("rgb", "thermal"),
    )
    on_missing: str = setting(
        "drop",
        "When one camera is silent: drop = publish nothing, rgb_only or thermal_only = go on "
        "with that camera, the other image black.",
        choices=("drop", "rgb_only", "thermal_only"),
    )
    missing_timeout_s: float = setting(1.0, "A camera is missing after this silence [s].", low=0.05, high=3600.0)
    sync_warning_s: float = setting(5.0, "Without a pair for this time [s] the node says why.", low=0.5, high=3600.0)
    expected_rate_hz: float = setting(
        0.0, "Output rate [Hz] that monitors should expect; 0 = none.", low=0.0, high=1000.0
    )
    overlay_opacity: float = setting(
        OVERLAY_OPACITY, "Share of the class colours in the overlay, 0 to 1.", low=0.0, high=1.0
    )
    min_confidence: float = setting(
        0.0,
        "Least softmax probability [0 to 1] of a pixel's class; the mask says 255 where it is less probable. 0 = off.",
        low=0.0,
        high=1.0,
    )
    jpeg_quality: int = setting(90, "Quality [1 to 100] of the outputs that are JPEG.", low=1, high=100)
    object_classes: str = setting(
        "", "Classes whose connected parts are objects, names with commas between; empty = all but background."
    )
    min_object_area: int = setting(
        100, "Area [pixels] of the smallest object; smaller parts are left out.", low=1, high=2**31 - 1
    )
    features_rest_s: float = setting(
        3.0,
        "Rest [s] between two sheets of ~/debug/features, which are made for subscribers only, on the CPU.",
        low=0.0,
        high=3600.0,
    )
    exit_with_parent: bool = setting(
        True,
        "End when the process that started the node ends (ros2 launch killed, terminal closed); false for nohup.",
        once=True,
    )

    def __post_init__(self) -> None:
        if self.thermal_window == "fixed" and not self.thermal_low < self.thermal_high:
            raise ConfigError(
                f"thermal_window: fixed needs thermal_low < thermal_high, got {self.thermal_low:g} and "
                f"{self.thermal_high:g}"
            )
        if self.encoder_side == "auto" and not self.target_rate_hz:
            raise ConfigError("encoder_side: auto needs target_rate_hz, the pairs a second to hold, got 0")
