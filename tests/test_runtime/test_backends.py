# Copyright (c) mmrdn contributors. All rights reserved.
"""What computes the graphs: ONNX Runtime or OpenVINO, with the same contract."""

import numpy as np
import pytest

from helpers.exported import assert_same_results, clip, need_onnx

need_onnx()


def detector_of(path, **options):
    from mmrdn_runtime import VideoDetector

    return VideoDetector(path, **options)


@pytest.mark.parametrize('size', [(48, 64), (60, 44)])
def test_openvino(size, exported):
    pytest.importorskip('openvino', reason='openvino is not installed (mmrdn-runtime[openvino])')
    inferencer, out = exported
    detector = detector_of(out, backend='openvino', threads=1)
    results = list(detector.stream(clip(6, size)))
    assert_same_results(results, list(inferencer.stream(clip(6, size))))
    others = list(detector_of(out, threads=1).stream(clip(6, size)))
    for found, right in zip(results, others):
        np.testing.assert_allclose(found.next_weights.weights, right.next_weights.weights, atol=1e-3)


def test_two_interleaved_streams_of_openvino(exported):
    pytest.importorskip('openvino', reason='openvino is not installed (mmrdn-runtime[openvino])')
    inferencer, out = exported
    videos = [clip(5, seed=1), clip(4, (60, 44), seed=2)]
    results = [[], []]
    for i, found in detector_of(out, backend='openvino').stream_many(videos):
        results[i].append(found)
    for found, frames in zip(results, videos):
        assert_same_results(found, list(inferencer.stream(frames)))


def test_many_streams(exported):
    """One video is broken: the others are finished, then an error is raised."""
    inferencer, out = exported
    videos = [clip(5, seed=1), [*clip(2, seed=3), None], clip(4, (60, 44), seed=2)]
    results = [[], [], []]
    with pytest.raises(ValueError, match=r'video 1, frame 2 must be a \(H, W, 3\) uint8 array, got a NoneType'):
        for i, found in detector_of(out).stream_many(videos):
            results[i].append(found)
    videos[1].pop()
    for found, frames in zip(results, videos):
        assert_same_results(found, list(inferencer.stream(frames)))


def test_options_of_a_provider(exported, monkeypatch):
    """They reach ONNX Runtime, for each graph; a GPU's provider has many."""
    import onnxruntime

    given, real = [], onnxruntime.InferenceSession

    def opened(path, options, providers):
        given.append(providers)
        return real(path, options, providers=providers)

    monkeypatch.setattr(onnxruntime, 'InferenceSession', opened)
    provider = 'CPUExecutionProvider', {'some_option': '0'}
    detector = detector_of(exported[1], providers=[provider])
    assert given == [[provider]] * 3
    assert_same_results(list(detector.stream(clip(4))), list(exported[0].stream(clip(4))))


def test_openvino_is_not_installed(exported, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'openvino', None)
    with pytest.raises(ValueError, match="backend='openvino' needs OpenVINO: pip install openvino$"):
        detector_of(exported[1], backend='openvino')
