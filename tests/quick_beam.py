"""What Beam does again and again for every pipeline, done once in a process of tests.

Nothing of it changes what a pipeline does. A small build takes half the time without: Beam looks a
hundred times and more at its options, reads the source of each function for a warning, writes a
trace for every type hint, and measures how much memory a side input takes.
"""

import bz2
import concurrent.futures
import pickle
import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from copy import deepcopy
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

from apache_beam.internal import cloudpickle_pickler, pickler
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.pipeline import Pipeline
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
from apache_beam.runners.worker import bundle_processor, statecache
from apache_beam.transforms import core, ptransform, userstate, util
from apache_beam.typehints import decorators, native_type_compatibility

Function = Callable[..., Any]
IN_THIS_PROCESS = type(FnApiRunner()._default_environment)


def make_beam_quick(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Patch Beam.

    Args:
        set_attribute: `setattr`, or what undoes it later.
    """
    set_attribute(PipelineOptions, "__init__", _parsed_once(PipelineOptions.__init__))
    set_attribute(PipelineOptions, "view_as", _viewed_once(PipelineOptions.view_as))
    set_attribute(PipelineOptions, "_visible_option_list", _names_once())
    formatter = _BeamArgumentParser()._get_formatter()  # `add_argument` only tries its wording
    set_attribute(_BeamArgumentParser, "_get_formatter", lambda parser: formatter)
    set_attribute(userstate, "get_dofn_specs", lambda stage: (set(), set()))  # no stage has any
    set_attribute(core, "_check_fn_use_yield_and_return", lambda function: False)  # it only warns
    set_attribute(decorators.IOTypeHints, "_make_origin", lambda *_, **__: [])  # text of errors
    set_attribute(statecache, "get_deep_size", lambda *_: 1_000)  # bytes; the cache has 100 MB
    futures = SimpleNamespace(ThreadPoolExecutor=_Here, TimeoutError=TimeoutError)
    set_attribute(bundle_processor, "concurrent", SimpleNamespace(futures=futures))
    set_attribute(PipelineOptions, "get_all_options", _warned_once(PipelineOptions.get_all_options))
    packing = _Packing()
    set_attribute(cloudpickle_pickler, "bz2", packing)
    set_attribute(cloudpickle_pickler, "_dumps", packing.pickled(cloudpickle_pickler._dumps))
    copied = packing.spared(pickler.roundtrip, always=True)
    set_attribute(pickler, "roundtrip", _copied_if_empty(copied))
    laid_out = packing.spared(Pipeline.to_runner_api, always=False)
    set_attribute(Pipeline, "to_runner_api", laid_out)
    processor = bundle_processor.BundleProcessor
    unpickled = packing.spared(processor.create_execution_tree, always=True)
    set_attribute(processor, "create_execution_tree", unpickled)
    set_attribute(processor, "monitoring_infos", lambda bundle: [])  # no pipeline has metrics
    from_callable = decorators.IOTypeHints.from_callable
    signature = _once_a_function(decorators.get_signature)
    for module in (decorators, core, ptransform, util):
        set_attribute(module, "get_signature", signature)
    hinted = _once_a_function(lambda function: from_callable(function))
    set_attribute(decorators.IOTypeHints, "from_callable", staticmethod(hinted))
    combining = core.CombineValuesDoFn
    set_attribute(combining, "infer_output_type", _inferred_once(combining.infer_output_type))
    defaults = _once_a_function(core.get_function_args_defaults)
    set_attribute(core, "get_function_args_defaults", lambda call: _copies(defaults(call)))
    converted = _once_a_type(native_type_compatibility.convert_to_beam_type)
    for module in (native_type_compatibility, decorators):
        set_attribute(module, "convert_to_beam_type", converted)


class _Here(concurrent.futures.Executor):
    """Calls in this thread; each bundle would start one to unpickle its stages in time."""

    def __init__(self, **_: Any) -> None:
        pass

    def submit(self, call: Function, /, *args: Any, **keywords: Any) -> Any:
        """Call at once; an error is raised here, not where the result is asked for."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_result(call(*args, **keywords))
        return future


class _Packing(threading.local):
    """`bz2` as Beam uses it, which does not pack what only this process unpacks."""

    _is_spared = False

    def compress(self, content: bytes, compresslevel: int) -> bytes:
        """Pack, if it may leave the process."""
        return content if self._is_spared else bz2.compress(content, compresslevel)

    def decompress(self, content: bytes) -> bytes:
        """Unpack, if it is packed: a pickle begins otherwise."""
        return bz2.decompress(content) if content.startswith(b"BZh") else content

    def pickled(self, dumps: Function) -> Function:
        """Return a function that pickles for this process, if Python can, without asking Beam."""

        def dump(value: Any, *args: Any, **keywords: Any) -> bytes:
            if self._is_spared:
                with suppress(Exception):  # else as Beam does
                    return pickle.dumps(value)
            result: bytes = dumps(value, *args, **keywords)
            return result

        return dump

    def spared(self, call: Function, *, always: bool) -> Function:
        """Return a function without packing: always, or where its environment is this process."""

        def spare(*args: Any, **keywords: Any) -> Any:
            before = self._is_spared
            environment = keywords.get("default_environment")
            self._is_spared = always or type(environment) is IN_THIS_PROCESS
            try:
                return call(*args, **keywords)
            finally:
                self._is_spared = before

        return spare


def _copied_if_empty(roundtrip: Function) -> Function:
    return lambda value: type(value)() if value in ([], {}) else roundtrip(value)


def _parsed_once(init: Function) -> Function:
    """Return the constructor of options that parses the same flags only once for each class."""
    results: dict[Hashable, Any] = {}

    def init_once(options: Any, flags: Sequence[str] | None = None, **values: Any) -> None:
        if flags is None or isinstance(flags, str) or values:  # those of `sys.argv`, or an error
            init(options, flags, **values)
            return
        key = type(options), tuple(flags)
        if key not in results:
            init(options, flags)
            results[key] = deepcopy(options._visible_options)
            return
        options._flags = flags
        options._visible_options = deepcopy(results[key])
        options._all_options = dict(vars(options._visible_options))

    return init_once


def _warned_once(get_all: Function) -> Function:
    """Return a function that tells of the same unknown flags once; nobody reads its result then."""
    warned: set[Hashable] = set()

    def get(options: Any, *args: Any, **keywords: Any) -> Any:
        if keywords.get("display_warnings"):
            flags = tuple(options._flags)
            if flags in warned:
                return {}
            warned.add(flags)
        return get_all(options, *args, **keywords)

    return get


def _copies(lists: Sequence[list[Any]]) -> tuple[list[Any], ...]:
    return tuple(map(list, lists))


def _names_once() -> Function:
    """Return a function that gives the names of options, by class."""
    names: dict[type[PipelineOptions], list[str]] = {}

    def visible(options: PipelineOptions) -> list[str]:
        kind = type(options)
        if kind not in names:
            names[kind] = sorted(name for name in vars(options._visible_options) if name[0] != "_")
        return names[kind]

    return visible


def _inferred_once(infer: Function) -> Function:
    """Return a function that infers what combining stages yield, by what they combine."""
    results: dict[Hashable, Any] = {}

    def infer_once(stage: Any, kind: Any) -> Any:
        key = type(stage.combinefn), kind
        if key not in results:
            results[key] = infer(stage, kind)
        return results[key]

    return infer_once


def _viewed_once(view_as: Function) -> Function:
    views: dict[Hashable, Any] = {}

    def view_once(options: Any, kind: Any) -> Any:
        key = id(options._all_options), kind  # every view of the same options holds that dictionary
        if key not in views:
            views[key] = view_as(options, kind)
        return views[key]

    return view_once


def _once_a_function(call: Function) -> Function:
    """Return a function of functions that remembers its results, those of methods by class."""
    results: WeakKeyDictionary[Any, dict[bool, Any]] = WeakKeyDictionary()

    def call_once(function: Any) -> Any:
        plain = getattr(function, "__func__", function)
        if type(plain) is not type(call):  # a class or a partial, which may change
            return call(function)
        known, is_bound = results.setdefault(plain, {}), plain is not function
        if is_bound not in known:
            known[is_bound] = call(function)
        return known[is_bound]

    return call_once


def _once_a_type(call: Function) -> Function:
    results: dict[Hashable, Any] = {}

    def call_once(kind: Any) -> Any:
        try:
            if kind not in results:
                results[kind] = call(kind)
            return results[kind]
        except TypeError:  # it has no hash
            return call(kind)

    return call_once
