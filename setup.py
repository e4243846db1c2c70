"""All metadata of the package, for pip and colcon alike (a [project] table in pyproject.toml would break colcon)."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "mrfs_ros"
ROOT = Path(__file__).resolve().parent  # resolved: colcon --symlink-install runs a link to this file


def version() -> str:
    """The version as written in the package; importing it here could need what is not installed yet."""
    line = next(li for li in (ROOT / NAME / "__init__.py").read_text().splitlines() if li.startswith("__version__"))
    return line.split('"')[1]


def shared(folder: str) -> tuple[str, list[str]]:
    """Files of ``folder`` for share/mrfs_ros/``folder``, where launch and users look for them."""
    return f"share/{NAME}/{folder}", sorted(str(p.relative_to(ROOT)) for p in (ROOT / folder).iterdir() if p.is_file())


setup(
    name=NAME,
    version=version(),
    description="RGB-thermal image fusion and segmentation (MRFS, CVPR 2024) as a ROS 2 node and a Python package",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="The mrfs_ros developers",
    maintainer="The mrfs_ros developers",
    maintainer_email="maintainers@example.org",
    license="Apache-2.0",
    keywords=["ROS 2", "thermal", "image fusion", "segmentation"],
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        f"{NAME}.engine.operators": ["kernels/*"],
        f"{NAME}.bag.writing": ["page/*"],
    },  # C++, and a web page in parts
    python_requires=">=3.10",
    install_requires=[
        "torch>=2.4",
        "numpy>=1.24",
        "opencv-python-headless>=4.8,<5",  # 5.x breaks cv_bridge of other nodes; headless: no window is ever opened
        "safetensors>=0.4",
        "tqdm>=4.60",
    ],
    extras_require={
        "bags": ["rosbags>=0.11,<0.12", "mcap>=1.1", "PyYAML>=6"],  # mcap reads what is damaged
        "video": ["av>=12"],
        "train": ["PyYAML>=6", "tensorboard>=2.15", "Pillow>=9.1"],  # Pillow reads labels: palette indices, few bits
        "onnx": ["onnx>=1.16", "onnxruntime>=1.18"],
        "openvino": ["onnx>=1.16", "openvino>=2024.4"],
        "plots": ["matplotlib>=3.8"],
        "report": ["plotly>=5.15", "Jinja2>=3"],
        "rerun": ["rerun-sdk>=0.31"],  # needs NumPy 2; older ones lose frames when parts are put together
        "fleet": ["ray>=2.10", "fsspec>=2023.5"],  # s3:// needs s3fs besides, gs:// gcsfs
        "test": [
            "pytest>=8",
            "pytest-xdist>=3",
            "hypothesis>=6",
            "rosbags>=0.11,<0.12",
            "mcap>=1.1",
            "av>=12",
            "PyYAML>=6",
            "tensorboard>=2.15",
            "Pillow>=9.1",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "openvino>=2024.4",
            "matplotlib>=3.8",
            "plotly>=5.15",
            "Jinja2>=3",
            "rerun-sdk>=0.31",
            "ray>=2.10",
            "fsspec>=2023.5",
        ],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/models", ["models/README.md", "models/mrfs_b0_street.safetensors"]),
        *(shared(folder) for folder in ("launch", "config", "config/cameras", "rviz")),
    ],
    zip_safe=False,  # the C++ sources must lie in files
    entry_points={
        "console_scripts": ["mrfs = mrfs_ros.cli.main:main", "mrfs_node = mrfs_ros.ros.node_program:main"],
    },
)
