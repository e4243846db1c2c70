"""Labels as people export them: what is stored comes out as ids, and what has no clear ids is refused."""

from __future__ import annotations

import io
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_labels import COLOUR, COLOUR_ALPHA, GREY_ALPHA, PALETTE, VOC, exif, png, upright
from PIL import Image

from mrfs_ros.data.labels import LabelReader
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import FMB, MFNET, PST900, UNLABELLED, ClassSet

SIZE = (12, 18)
RNG = np.random.default_rng(4)
HERD = ClassSet("herd", ("background", "cow", "person"), ((0, 0, 0), (200, 10, 10), (10, 10, 200)))
IDS = RNG.integers(0, 3, SIZE)
IDS[0] = UNLABELLED
MANY = ClassSet("many", tuple(map(str, range(250))), tuple((i, i // 3, 77) for i in range(250)))


def read(
    content: bytes, classes: ClassSet = HERD, label_map=None, values="auto", size=SIZE, folder: Path | None = None
):
    path = folder / "a.png"
    path.write_bytes(content)
    return LabelReader(classes, label_map or {}, values).read(path, size)


@pytest.fixture
def ids(tmp_path):
    """Reads content as a label file named a.png."""
    return lambda content, *args, **options: read(content, *args, **options, folder=tmp_path)


@pytest.fixture
def refused(ids, tmp_path):
    """The text of the ImageError for content, after the file's name."""

    def text(content, *args, **options) -> str:
        with pytest.raises(ImageError) as error:
            ids(content, *args, **options)
        return str(error.value).removeprefix(f"{tmp_path / 'a.png'}: ")

    return text


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("palette", [False, True], ids=["grey", "palette"])
def test_samples_are_ids_whatever_their_bits(ids, bits, palette):
    if palette and bits == 16:
        pytest.skip("PNG has no palette of 16 bits")
    stored = RNG.integers(0, min(2**bits, 250), SIZE)
    options = {"kind": PALETTE, "palette": VOC[: 2**bits]} if palette else {}
    got = ids(png(stored, bits, **options), MANY)
    assert got.dtype == np.uint8
    assert (got == stored).all()


def test_palette_as_labelme_and_pillow_write_it(ids):
    image = Image.fromarray(IDS.astype(np.uint8), "L").convert("L")
    palette = Image.new("P", image.size)
    palette.putdata(list(IDS.ravel()))
    palette.putpalette(VOC.ravel().tolist())
    assert (ids(encoded(palette, "PNG")) == IDS).all()
    assert (ids(encoded(palette, "PNG", transparency=0)) == IDS).all()
    assert (ids(encoded(palette, "PNG", bits=8, optimize=True)) == IDS).all()


def test_transparent_entries_of_a_palette_are_ids_too(ids):
    content = png(IDS, kind=PALETTE, palette=VOC, transparency=bytes([0, 128]))
    assert (ids(content) == IDS).all()


def test_mask_of_one_bit_as_pillow_and_opencv_write_it(ids):
    mask = RNG.integers(0, 2, SIZE).astype(np.uint8)
    assert (ids(encoded(Image.fromarray(mask * 255).convert("1"), "PNG")) == mask).all()
    assert (ids(encoded(Image.fromarray(mask * 255).convert("1"), "TIFF", compression="group4")) == mask).all()
    assert (ids(encoded(Image.fromarray(mask * 255).convert("1"), "BMP")) == mask).all()
    done, content = cv2.imencode(".png", mask * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])
    assert done
    assert (ids(content.tobytes()) == mask).all()


def test_three_equal_channels_are_the_id(ids):
    for content in (
        png(np.dstack([IDS] * 3), kind=COLOUR),
        png(np.dstack([*[IDS] * 3, np.full(SIZE, 255)]), kind=COLOUR_ALPHA),
        png(np.dstack([IDS, np.full(SIZE, 255)]), kind=GREY_ALPHA),
        encoded(Image.fromarray(np.dstack([IDS] * 3).astype(np.uint8)), "WEBP", lossless=True),
        encoded(Image.fromarray(np.dstack([IDS] * 3).astype(np.uint8)), "BMP"),
    ):
        assert (ids(content) == IDS).all()


def test_ids_of_16_bits_are_mapped(ids, refused):
    stored = np.where(IDS == UNLABELLED, 65535, IDS * 1000)
    label_map = {1000: 1, 2000: 2, 65535: UNLABELLED}
    assert (ids(png(stored, 16), label_map=label_map) == IDS).all()
    assert refused(png(stored, 16)) == (
        "class id 1000, 2000, 65535 is unknown: herd has 0 to 2, and 255 = ignore; map others with label_map"
    )
    assert "class id 256 is unknown" in refused(png(np.full(SIZE, 256), 16))  # not 0, its last 8 bits
    assert "class id 5, 6, 7, 8, 9, 10, 11, 12 and 4 more is unknown" in refused(
        png(np.arange(216).reshape(SIZE) % 12 + 5)
    )


@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
def test_other_lossless_files(ids, kind):
    grey = Image.fromarray(IDS.astype(np.uint8))
    assert (ids(encoded(grey, kind)) == IDS).all()
    palette = Image.fromarray(IDS.astype(np.uint8), "L").convert("P")
    palette.putpalette(VOC.ravel().tolist())
    assert (ids(encoded(palette, kind)) == IDS).all()


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.uint32])
def test_deep_tiff(ids, kind):
    assert (ids(encoded(Image.fromarray(IDS.astype(kind)), "TIFF")) == IDS).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [1, 8])
def test_exif_orientation_is_honoured(ids, orientation, bits):
    stored = RNG.integers(0, 2, SIZE)
    shown = upright(stored, orientation)
    assert (ids(png(stored, bits, orientation=orientation), size=shown.shape) == shown).all()
    tiff = Image.fromarray(stored.astype(np.uint8))
    assert (ids(encoded(tiff, "TIFF", exif=b"Exif\0\0" + exif(orientation)), size=shown.shape) == shown).all()


@pytest.mark.parametrize("classes", [MFNET, FMB, PST900, HERD], ids=lambda classes: classes.name)
def test_colours_of_the_classes(ids, classes):
    wanted = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % len(classes)
    colours = classes.palette()[wanted]
    assert (ids(png(colours, kind=COLOUR), classes) == wanted).all()
    assert (ids(png(np.dstack([colours, np.full(SIZE, 255)]), kind=COLOUR_ALPHA), classes) == wanted).all()


def test_colour_image_that_was_saved_as_a_palette(ids, refused):
    """Optimizers number the colours as they like: then neither reading is certain, and the user has to say."""
    stored = RNG.integers(0, 3, SIZE)
    order = [2, 0, 1]
    content = png(stored, kind=PALETTE, palette=[HERD.colors[i] for i in order])
    assert refused(content) == (
        "its ids and its colours are both classes of herd, but not the same ones: "
        "say which is meant by label_values: ids or label_values: colors"
    )
    assert (ids(content, values="ids") == stored).all()
    assert (ids(content, values="colors") == np.array(order)[stored]).all()
    same = png(stored, kind=PALETTE, palette=HERD.colors)
    assert (ids(same) == stored).all()
    beyond = png(stored + 3, kind=PALETTE, palette=[*HERD.colors, *HERD.colors])  # no ids of herd: colours
    assert (ids(beyond) == stored).all()


def test_grey_classes_in_colour(ids, refused):
    black_white = ClassSet("bw", ("dark", "light"), ((0, 0, 0), (255, 255, 255)))
    mask = RNG.integers(0, 2, SIZE)
    content = png(np.dstack([mask * 255] * 3), kind=COLOUR)  # 255: ignored, or the colour of light?
    assert "both classes of bw, but not the same ones" in refused(content, black_white)
    assert (ids(content, black_white, values="colors") == mask).all()
    assert (ids(content, black_white, values="ids") == mask * 255).all()
    assert (ids(png(mask * 255), black_white, values="colors") == mask).all()  # grey file, asked for as colours
    assert (ids(png(mask * 255), black_white) == mask * 255).all()
    assert (ids(png(np.dstack([mask * 0] * 3), kind=COLOUR), black_white) == 0).all()  # both say 0
    grey = ClassSet("grey", ("dark", "light"), ((0, 0, 0), (128, 128, 128)))
    assert (ids(png(np.dstack([mask * 128] * 3), kind=COLOUR), grey) == mask).all()  # 128 is no id of grey


def test_colours_are_mapped_by_id(ids):
    colours = png(HERD.palette()[np.where(IDS == UNLABELLED, 0, IDS)], kind=COLOUR)
    assert sorted(np.unique(ids(colours, label_map={1: 2, 2: UNLABELLED}))) == [0, 2, UNLABELLED]


def test_colours_that_are_no_class(refused):
    colours = HERD.palette()[np.ones(SIZE, int)]
    colours[5, 6] = (1, 2, 3)
    text = "colour (1, 2, 3) is no class of herd: expected its colours (class_colors), or a grey image of class ids"
    assert refused(png(colours, kind=COLOUR)) == text
    assert refused(png(colours, kind=COLOUR), values="colors") == text
    assert refused(png(colours, kind=COLOUR), values="ids") == "expected class ids (label_values: ids), got colours"
    palette = png(IDS % 3, kind=PALETTE, palette=[(0, 0, 0), (1, 2, 3), (10, 10, 200)])
    assert refused(palette, values="colors") == text
    assert "colour of an index without one" in refused(png(IDS % 3, kind=PALETTE, palette=VOC[:1]), values="colors")


GREY_LABEL = Image.fromarray(IDS.astype(np.uint8))
LOSSY = {
    "JPEG": encoded(Image.fromarray(IDS.astype(np.uint8)), "JPEG", quality=100),
    "JPEG 2000": encoded(Image.fromarray(IDS.astype(np.uint8)), "JPEG2000"),
    "AVIF or HEIF": encoded(Image.fromarray(np.dstack([IDS] * 3).astype(np.uint8)), "AVIF"),
    "lossy WebP": encoded(Image.fromarray(np.dstack([IDS] * 3).astype(np.uint8)), "WEBP", quality=100),
}


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_files_are_refused_by_their_content(refused, kind):
    assert refused(LOSSY[kind]) == f"is {kind} inside, and {kind} changes ids: export PNG"


def test_lossy_tiff_is_refused(refused):
    content = encoded(Image.fromarray(IDS.astype(np.uint8)), "TIFF", compression="jpeg")
    assert refused(content) == "is TIFF with jpeg inside, which changes ids: export PNG"


@pytest.mark.parametrize(
    "content, text",
    [
        (encoded(GREY_LABEL, "GIF"), "is no label image (PNG, TIFF, BMP, WebP), or is damaged"),
        (b"", "is no label image"),
        (png(IDS)[:60], "or is damaged: "),
        (png(np.dstack([IDS] * 3), 16, COLOUR), "has 16 bits a colour: export 8-bit grey PNG whose values are"),
        (png(np.dstack([IDS, IDS]), kind=GREY_ALPHA), "has transparent pixels, of which nobody knows the class"),
        (png(np.dstack([IDS] * 4), kind=COLOUR_ALPHA), "has transparent pixels"),
        (encoded(Image.fromarray(IDS.astype(np.float32)), "TIFF"), "stores F pixels: export 8-bit grey PNG"),
        (encoded(Image.fromarray(-IDS.astype(np.int32)), "TIFF"), "has values from -255 to 0: export"),
        (
            encoded(GREY_LABEL, "TIFF", save_all=True, append_images=[GREY_LABEL]),
            "has 2 pages: expected one image, export 8-bit grey PNG",
        ),
        (png(IDS.T), "is 18x12 (HxW), but its rgb image is 12x18"),
        (png(IDS, orientation=6), "is 18x12 (HxW), but its rgb image is 12x18"),
        (png(np.zeros((9, 9), int)), "is 9x9 (HxW), but its rgb image is 12x18"),
    ],
)  # fmt: skip
def test_files_without_clear_ids_are_refused(refused, content, text):
    assert text in refused(content)


def test_white_is_zero(refused):
    image = Image.fromarray(IDS.astype(np.uint8))
    assert "is TIFF in which 0 is white" in refused(encoded(image, "TIFF", tiffinfo={262: 0}))


def test_a_huge_label_is_refused_by_its_header(refused):
    """Before it is decoded: 12,000 x 12,000 pixels in a file of a hundred bytes, whose pixels are not even there."""
    content = png(np.zeros((2, 2), int))
    at = content.index(b"IHDR")
    header = b"IHDR" + (12_000).to_bytes(4, "big") * 2 + content[at + 12 : at + 17]
    huge = content[:at] + header + zlib.crc32(header).to_bytes(4, "big") + content[at + 21 :]
    assert refused(huge) == "is 12000x12000 (HxW), but its rgb image is 12x18"


def test_a_flipped_bit_is_damage(refused):
    content = bytearray(png(RNG.integers(0, 3, SIZE)))
    content[content.index(b"IDAT") + 12] ^= 4
    assert "or is damaged" in refused(bytes(content))


def test_missing_file(tmp_path):
    with pytest.raises(ImageError, match=r"cannot be read \(No such file or directory\): expected a label image"):
        LabelReader(HERD, {}).read(tmp_path / "nowhere.png", SIZE)


def test_without_pillow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"reading labels needs Pillow: pip install 'mrfs_ros\[train\]'"):
        LabelReader(HERD, {}).read(tmp_path / "a.png", SIZE)


def test_bad_map():
    with pytest.raises(ConfigError, match="label_map: 70000: 1: expected an id 0-65535 and a class 0-2 or 255"):
        LabelReader(HERD, {70000: 1})


@given(st.dictionaries(st.integers(0, 65535), st.integers(0, 2) | st.just(UNLABELLED), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_maps_of_16_bits(tmp_path_factory, label_map):
    stored = np.array(list(label_map))[None]
    content = png(stored, 16)
    folder = tmp_path_factory.mktemp("ids")
    got = read(content, label_map=label_map, size=stored.shape, folder=folder)
    assert got.ravel().tolist() == [label_map[i] for i in stored.ravel().tolist()]
