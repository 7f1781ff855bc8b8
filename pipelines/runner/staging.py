"""What is sent to machines that have neither this package nor what it needs: Dataflow's."""

import tempfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions, WorkerOptions

import pipelines
from schemas.errors import UsageError

# Stores, and servers of models; workers have Beam, and need none of what builds the sdist.
_EXTRAS = ("gcp", "serve")
_LEFT_OUT = ("apache-beam", "build", "setuptools")


def stage_package(options: PipelineOptions) -> None:
    """Have Beam send an sdist of this checkout, and the names of what it needs in a store.

    Options that name a package or a container image of one's own are left as they are.

    Args:
        options: the options of the pipeline, which are changed.

    Raises:
        UsageError: this is no checkout, of which an sdist could be made.
    """
    setup = options.view_as(SetupOptions)
    image = options.view_as(WorkerOptions).sdk_container_image
    if setup.setup_file or setup.extra_packages or image:
        return
    project = Path(pipelines.__file__).parents[1] / "pyproject.toml"
    if not project.is_file():
        raise UsageError(
            "--runner DataflowRunner: its machines need this package: give --extra_package "
            "regionforge-VERSION.tar.gz, which `python -m build --sdist` makes in a checkout, or "
            "--sdk_container_image with an image that holds it"
        )
    setup.setup_file = str(project)
    if setup.requirements_file is None:
        setup.requirements_file = _written(requirements())
        setup.requirements_cache = "skip"  # the workers fetch them


def requirements() -> list[str]:
    """Return the requirements of the extras that workers need, e.g. `gcsfs>=2026.9`."""
    try:
        listed = requires("regionforge") or []
    except PackageNotFoundError:  # a checkout on the path alone
        return []
    parted = (line.partition("; extra == ") for line in listed)
    wanted = (name for name, _, extra in parted if extra.strip("\"'") in _EXTRAS)
    return sorted(name for name in wanted if not name.startswith(_LEFT_OUT))


def _written(lines: list[str]) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", delete=False) as file:
        file.writelines(f"{line}\n" for line in lines)
    return file.name
