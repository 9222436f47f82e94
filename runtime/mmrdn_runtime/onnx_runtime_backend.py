# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Sequence
from pathlib import Path

from mmrdn.utils.text import printable
from mmrdn_runtime.graph import Graph

# Number formats of the state, by the names of ONNX Runtime.
_FORMATS = {'tensor(float)': 'float32', 'tensor(int64)': 'int64', 'tensor(bool)': 'bool'}


class OnnxRuntimeBackend:
    """ONNX Runtime.

    Args:
        threads (int): Threads of a graph; 0 for as many as it likes.
        providers (Sequence[str or tuple[str, dict]]): Execution providers, some with their options, the preferred
            one first.

    Raises:
        ValueError: There is no such provider, or none is given.
    """

    def __init__(
        self, threads: int = 0, providers: Sequence[str | tuple[str, dict]] = ('CPUExecutionProvider',)
    ) -> None:
        import onnxruntime

        known = onnxruntime.get_available_providers()
        if not isinstance(providers, list | tuple) or not providers:
            raise ValueError(f'providers must be a list of some of {", ".join(known)}, got {providers!r}')
        missing = [str(name) for name in map(_name, providers) if name not in known]
        if missing:
            raise ValueError(f'ONNX Runtime has no {", ".join(missing)} here, expected some of {", ".join(known)}')
        self.providers = list(providers)
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        # Threads that wait busily between runs take the processor from the other graphs.
        self.options.add_session_config_entry('session.force_spinning_stop', '1')
        self.options.log_severity_level = 3

    def open(self, path: Path) -> Graph:
        """Open a graph.

        Args:
            path (Path): ONNX file.

        Raises:
            ValueError: ONNX Runtime cannot read it.
        """
        import onnxruntime

        try:
            session = onnxruntime.InferenceSession(path, self.options, providers=self.providers)
        except Exception as error:  # its own kinds, which have no common base
            raise ValueError(f'{path}: ONNX Runtime cannot read it: {printable(str(error))}') from None
        inputs = {x.name: (x.shape, _FORMATS.get(x.type, x.type)) for x in session.get_inputs()}
        outputs = [x.name for x in session.get_outputs()]
        metadata = session.get_modelmeta().custom_metadata_map
        return Graph(inputs, outputs, lambda values: session.run(outputs, values), metadata)


def _name(provider: str | tuple[str, dict]) -> str | tuple:
    """Return the name of a provider that may have options."""
    has_options = isinstance(provider, tuple) and len(provider) == 2 and isinstance(provider[1], dict)
    return provider[0] if has_options else provider
