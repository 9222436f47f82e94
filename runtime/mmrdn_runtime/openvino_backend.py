# Copyright (c) mmrdn contributors. All rights reserved.
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmrdn.utils.text import printable
from mmrdn_runtime.graph import Graph

PRECISIONS = ('f32', 'bf16', 'f16')


class OpenVinoBackend:
    """OpenVINO, which reads the same files.

    Args:
        threads (int): Threads of a graph; 0 for as many as it likes.
        precision (str): Number format that it may compute in: ``'f32'``, or ``'bf16'`` or ``'f16'``
            where the processor has it.
        device (str): Device that it runs on, such as ``'CPU'``.

    Raises:
        ValueError: OpenVINO is not installed, there is no such precision, or the device is no name.
    """

    def __init__(self, threads: int = 0, precision: str = 'f32', device: str = 'CPU') -> None:
        if precision not in PRECISIONS:
            raise ValueError(f'precision must be one of {", ".join(PRECISIONS)}, got {precision}')
        if not isinstance(device, str):
            raise ValueError(f"device must be the name of a device, such as 'CPU', got {device!r}")
        try:
            import openvino
        except ImportError:
            raise ValueError("backend='openvino' needs OpenVINO: pip install openvino") from None
        self.core = openvino.Core()
        self.device = device
        # Without a hint it rounds to bf16 wherever the processor is fast at it.
        self.config: dict[str, str | int] = {'INFERENCE_PRECISION_HINT': precision, 'PERFORMANCE_HINT': 'LATENCY'}
        if threads:
            self.config['INFERENCE_NUM_THREADS'] = threads

    def open(self, path: Path) -> Graph:
        """Open a graph.

        Args:
            path (Path): ONNX file.

        Raises:
            ValueError: OpenVINO cannot read it, or has no such device.
        """
        try:
            read = self.core.read_model(path)
            model = self.core.compile_model(read, self.device, self.config)
        except RuntimeError as error:
            lines = [line for line in str(error).splitlines() if not line.startswith('Exception from ')]
            raise ValueError(f'{path}: OpenVINO cannot run it on {self.device}: {printable(" ".join(lines))}') from None
        request = model.create_infer_request()

        def run(values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
            found = request.infer(values)
            return [found[output].copy() for output in model.outputs]  # the request owns its buffers

        inputs = {
            x.get_any_name(): (
                [None if length.is_dynamic else length.get_length() for length in x.partial_shape],
                x.element_type.to_dtype().name,
            )
            for x in model.inputs
        }
        place = ['framework']  # of a file's metadata
        metadata = read.get_rt_info(place).value if read.has_rt_info(place) else {}
        return Graph(inputs, [x.get_any_name() for x in model.outputs], run, metadata)
