# Copyright (c) mmrdn contributors. All rights reserved.
"""Arguments that are wrong get one line that names them."""

import pytest

from helpers.demo_clip import DEMO
from helpers.videos import noise
from mmrdn_runtime import VideoDetector

MODEL = DEMO / 'moving_digits_onnx'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(backend='tensorrt'), 'backend must be one of onnxruntime, openvino, got tensorrt'),
        (dict(backend=['openvino']), r"backend must be one of onnxruntime, openvino, got \['openvino'\]"),
        (dict(threads=-1), 'threads must be an integer from 0 to 1024, got -1'),
        (dict(threads='2'), "threads must be an integer from 0 to 1024, got '2'"),
        (dict(threads=True), 'threads must be an integer from 0 to 1024, got True'),
        (dict(threads=10**6), 'threads must be an integer from 0 to 1024, got 1000000'),
        (dict(precision='f32'), 'backend onnxruntime has no argument precision, expected some of threads, providers'),
        (
            dict(backend='openvino', providers=[]),
            'backend openvino has no argument providers, expected some of .*device',
        ),
        (dict(backend='openvino', precision='f64'), 'precision must be one of f32, bf16, f16, got f64'),
        (dict(backend='openvino', device=3), "device must be the name of a device, such as 'CPU', got 3"),
    ],
)
def test_wrong_options(options, message):
    """They are refused before a backend is imported, which need not be installed."""
    with pytest.raises(ValueError, match=f'^{message}$'):
        VideoDetector(MODEL, **options)


@pytest.mark.parametrize(
    ('providers', 'message'),
    [
        (['NoProvider', 3], 'ONNX Runtime has no NoProvider, 3 here, expected some of .*CPUExecutionProvider.*'),
        ([('NoProvider', {})], 'ONNX Runtime has no NoProvider here, expected some of .*CPUExecutionProvider.*'),
        ([('CPUExecutionProvider', 3)], r"ONNX Runtime has no \('CPUExecutionProvider', 3\) here, expected some of .*"),
        ([], r'providers must be a list of some of .*CPUExecutionProvider.*, got \[\]'),
        ('CPUExecutionProvider', 'providers must be a list of some of .*, got .CPUExecutionProvider.'),
        (None, 'providers must be a list of some of .*CPUExecutionProvider.*, got None'),
    ],
)
def test_wrong_providers(providers, message):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements/deploy.txt)')
    with pytest.raises(ValueError, match=f'^{message}$'):
        VideoDetector(MODEL, providers=providers)


def test_no_such_device():
    """The messages of OpenVINO have several lines, most of them names of its own sources."""
    pytest.importorskip('openvino', reason='openvino is not installed (mmrdn-runtime[openvino])')
    message = '/extract.onnx: OpenVINO cannot run it on FOO: Device with "FOO" name is not registered'
    with pytest.raises(ValueError, match=f'{message} in the OpenVINO Runtime$'):
        VideoDetector(MODEL, backend='openvino', device='FOO')


@pytest.mark.parametrize(
    ('path', 'error', 'message'),
    [
        (None, ValueError, 'path must be the path of a directory of an exported model, got None'),
        (b'x', ValueError, "path must be the path of a directory of an exported model, got b'x'"),
        ('nowhere', FileNotFoundError, 'nowhere is no directory of an exported model: it does not exist'),
        (MODEL.parent, FileNotFoundError, '/demo is no directory of .*: there is no manifest.json in it'),
        (MODEL / 'manifest.json', FileNotFoundError, '/manifest.json is no directory of .*: it is a file'),
    ],
)
def test_wrong_paths(path, error, message):
    with pytest.raises(error, match=f'{message}$'):
        VideoDetector(path)


@pytest.fixture(scope='module')
def detector():
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (requirements/deploy.txt)')
    return VideoDetector(MODEL, threads=1)


@pytest.mark.parametrize(
    ('method', 'value', 'message'),
    [
        ('stream', None, 'frames must be iterable, such as a list, got None'),
        ('stream', 'clip.mp4', r'frame 0 must be a \(H, W, 3\) uint8 array, got a str'),
        ('stream_many', 3, 'videos must be iterable, such as a list, got 3'),
        ('stream_many', [[], None], 'video 1 must be iterable, such as a list, got None'),
        ('stream_many', [[], 'clip.mp4'], r'video 1, frame 0 must be a \(H, W, 3\) uint8 array, got a str'),
    ],
)
def test_wrong_videos(method, value, message, detector):
    with pytest.raises(ValueError, match=f'^{message}$'):
        list(getattr(detector, method)(value))


def test_videos_of_a_generator(detector):
    """Those without a length too, of videos without one."""
    frames = noise(3, (128, 160))
    results = list(detector.stream_many(iter(frames[i:]) for i in range(2)))
    assert [[found.frame_id for i, found in results if i == video] for video in range(2)] == [[0, 1, 2], [0, 1]]
