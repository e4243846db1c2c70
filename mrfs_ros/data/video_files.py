"""Video files where image files are expected: refused with the way to make images of them."""

from __future__ import annotations

from pathlib import Path

from mrfs_ros.errors import ImageError

VIDEO_SUFFIXES = (
    ".mp4",
    ".mkv",
    ".avi",
    ".mov",
    ".webm",
    ".m4v",
    ".mpg",
    ".mpeg",
    ".wmv",
    ".h264",
    ".h265",
    ".ts",
    ".seq",
)
VIDEO_WAY = (
    "make image files of it, by the same names for both cameras: ffmpeg -i VIDEO FOLDER/%06d.png, then mrfs fuse with "
    "both folders"
)


def check_no_video(path: Path) -> None:
    """Raise ImageError for a video file, or a folder that holds videos and nothing else to read."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
        if videos and len(videos) == len(files):
            raise ImageError(f"{path}: holds no images but videos (such as {videos[0].name}): {VIDEO_WAY}")
    elif path.suffix.lower() in VIDEO_SUFFIXES:
        raise ImageError(f"{path}: is a video: {VIDEO_WAY}")
