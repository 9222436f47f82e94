# Copyright (c) mmrdn contributors. All rights reserved.
"""The runtime links boxes as ``VideoInferencer`` does."""

import json

import numpy as np
import pytest

from helpers.exported import clip, export_tiny, need_onnx, run_runtime
from helpers.rdn import model_config, tiny_model
from helpers.videos import read_mp4, tiny_inferencer, write_mp4
from mmrdn.models import NextFrameRelations
from mmrdn.models.vid.data_samples import to_frame_detections
from mmrdn.post_processing import LINKERS, BoxLinkingWithRelations, VideoLinker

need_onnx()

NAMES = [kind.__name__ for kind in LINKERS]


def detector_of(path):
    from mmrdn_runtime import VideoDetector

    return VideoDetector(path, threads=1)


def recorded(inferencer, frames):
    """Detections of PyTorch with the weights of the recorder."""
    stream = inferencer.open_stream(recorders=[NextFrameRelations()])
    samples = [sample for image in frames for sample in stream.feed(stream.prepare(image))]
    return [to_frame_detections(sample) for sample in samples + stream.flush()]


@pytest.mark.parametrize('length', [7, 2, 1])
def test_weights_are_those_of_the_recorder(length, exported):
    inferencer, out = exported
    frames = clip(length)
    expected = recorded(inferencer, frames)
    results = list(detector_of(out).stream(frames))
    assert len(results) == len(expected) == length
    for t, (found, right) in enumerate(zip(results, expected)):
        np.testing.assert_allclose(found.scores, right.scores, atol=1e-4)
        ours, theirs = found.next_weights, right.next_weights
        np.testing.assert_array_equal(ours.support_inds, theirs.support_inds)
        np.testing.assert_array_equal(ours.detection_inds, theirs.detection_inds)
        num = theirs.weights.shape[1]
        assert num == (0 if t == length - 1 else 4) and len(theirs.weights)
        np.testing.assert_allclose(ours.weights[:, :num], theirs.weights, atol=1e-4)
        assert ours.next_frame_id == theirs.next_frame_id == (None if t == length - 1 else t + 1)


@pytest.mark.parametrize('kind', LINKERS, ids=NAMES)
def test_linked_boxes(kind, exported):
    inferencer, out = exported
    frames, linked = clip(7), []
    for detections in (detector_of(out).stream(frames), recorded(inferencer, frames)):
        video = VideoLinker(kind())
        linked.append([frame for found in detections for frame in video.add(found)] + video.finish())
    for found, right, _ in zip(*linked, frames, strict=True):
        assert len(found) == len(right) > 0 and found.frame_id == right.frame_id
        np.testing.assert_array_equal(found.track_ids, right.track_ids)
        np.testing.assert_allclose(found.scores, right.scores, atol=1e-4)
        np.testing.assert_allclose(found.bboxes, right.bboxes, atol=0.02)


def written(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [[(x['label'], x.get('track_id')) for x in line['detections']] for line in lines], [
        x['score'] for line in lines for x in line['detections']
    ]


@pytest.mark.parametrize('name', NAMES)
def test_command_links(name, exported, tmp_path):
    """The whole video is linked; its frames are drawn in a second reading."""
    write_mp4(tmp_path / 'in.mp4', clip(5))
    outputs = '--out-video', 'out.mp4', '--out-json', 'out.jsonl', '--score-thr', '0.3'
    done = run_runtime(tmp_path, 'in.mp4', '--model', str(exported[1]), '--linker', name, *outputs)
    assert done.returncode == 0, done.stderr
    inferencer = tiny_inferencer(linker=dict(type=name))
    inferencer(tmp_path / 'in.mp4', out_json=tmp_path / 'right.jsonl', score_thr=0.3)
    (tracks, scores), (others, right) = written(tmp_path / 'out.jsonl'), written(tmp_path / 'right.jsonl')
    assert tracks == others and any(track for frame in tracks for _, track in frame)
    np.testing.assert_allclose(scores, right, atol=1e-3)
    assert len(read_mp4(tmp_path / 'out.mp4')[0]) == 5


def test_without_weights(tmp_path):
    """A detector that looks at no frame ahead has no weights to the next one."""
    export_tiny(tmp_path / 'online', online_model())
    assert not detector_of(tmp_path / 'online').has_relations
    found = list(detector_of(tmp_path / 'online').stream(clip(2)))
    assert [x.next_weights for x in found] == [None, None]
    video = VideoLinker(BoxLinkingWithRelations())
    with pytest.warns(UserWarning, match='an exported one needs a basic stage and a look-ahead'):
        assert [x for frame in found for x in video.add(frame)] == [] and len(video.finish()) == 2
    write_mp4(tmp_path / 'in.mp4', clip(2))
    for name, message in (('BoxLinkingWithRelations', 'needs relation weights to the next frame'), ('Best', 'Best')):
        args = 'in.mp4', '--model', 'online', '--out-json', 'out.jsonl', '--linker', name
        done = run_runtime(tmp_path, *args)
        assert done.returncode == 1 and message in done.stderr and len(done.stderr.splitlines()) == 1
        assert not (tmp_path / 'out.jsonl').exists()
    assert BoxLinkingWithRelations.__name__ in done.stderr  # those that there are


def online_model():
    """A tiny detector with look-ahead 0."""
    model = tiny_model(model_config(lookahead=0))
    model.data_preprocessor = tiny_inferencer().model.data_preprocessor
    return model
