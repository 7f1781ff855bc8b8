"""Runners that lose something are refused by name, before a build begins on them."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import AppliedPTransform, Pipeline, PipelineVisitor
from apache_beam.pvalue import TaggedOutput
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.transforms.core import ParDo

from pipelines.runner import probe as probing
from pipelines.runner.launch import LaunchOptions
from pipelines.runner.probe import probe
from schemas.errors import UsageError
from schemas.layout import PROBE


class Changed(FnApiRunner):
    """A runner that changes each `DoFn` of a pipeline before it runs it."""

    def change(self, fn):
        """Leave it as it is."""

    def run_pipeline(self, pipeline, options):
        change = self.change

        class Visitor(PipelineVisitor):
            def visit_transform(self, node: AppliedPTransform) -> None:
                if isinstance(node.transform, ParDo):
                    change(node.transform.fn)

        pipeline.visit(Visitor())
        return super().run_pipeline(pipeline, options)


class WithoutEnds(Changed):
    """A runner that drops what is yielded at the end of a bundle, as Beam's for Dask does."""

    def change(self, fn):
        if isinstance(fn, probing._Emit):
            vars(fn)["finish_bundle"] = list


class WithoutTags(Changed):
    """A runner that drops outputs with a tag."""

    def change(self, fn):
        if isinstance(fn, probing._Emit):
            process = fn.process
            vars(fn)["process"] = lambda number: [
                output for output in process(number) if not isinstance(output, TaggedOutput)
            ]


class WithoutSideInputs(Changed):
    """A runner that leaves a side input empty."""

    def change(self, fn):
        if isinstance(fn, probing._Prove):
            process = fn.process
            vars(fn)["process"] = lambda _, main, tagged, at_end, sums: process(
                None, [], tagged, at_end, sums
            )


class WithSplitGroups(Changed):
    """A runner that takes equal keys for different ones, so that a part of each group is used."""

    def change(self, fn):
        if isinstance(fn, probing._Prove):
            process = fn.process
            vars(fn)["process"] = lambda _, main, tagged, at_end, sums: process(
                None, main, tagged, at_end, {key: key[1] for key in sums}
            )


class WithoutWork(FnApiRunner):
    """A runner that says it is done, and whose workers write nothing that can be read here."""

    def run_pipeline(self, pipeline, options):
        return super().run_pipeline(Pipeline(FnApiRunner()), options)


def probed(runner, output):
    probe(runner, PipelineOptions([]), str(output))


def test_a_runner_that_does_all_passes_and_leaves_nothing(tmp_path):
    probed(Changed(), tmp_path)
    assert not (tmp_path / PROBE).exists()


@pytest.mark.parametrize(
    ("runner", "lost"),
    [
        (WithoutEnds, r"loses outputs at the end of a bundle, which"),
        (WithoutTags, r"loses outputs by tag, which"),
        (WithoutSideInputs, r"loses side inputs, which"),
        (WithSplitGroups, r"loses groups by keys of several values, which"),
        (WithoutWork, r"left no .*probe\.json\. Either"),
    ],
)
def test_a_runner_that_loses_something_is_refused_by_name(tmp_path, runner, lost):
    with pytest.raises(UsageError, match=f"^--runner {runner.__name__}.*{lost}"):
        probed(runner(), tmp_path)


def test_a_known_runner_is_not_probed(tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "KNOWN", ("WithoutEnds",))
    probed(WithoutEnds(), tmp_path)


def test_a_build_on_a_runner_that_loses_something_does_not_begin(coco_file, run_build, tmp_path):
    owner = coco_file().good(1, 2).save()
    options = LaunchOptions(runner=f"{__name__}.WithoutEnds")
    with pytest.raises(UsageError, match=r"^--runner WithoutEnds loses outputs at the end"):
        run_build(owner, tmp_path / "out", launch_options=options)
    assert not list((tmp_path / "out").rglob("*.arrow"))
