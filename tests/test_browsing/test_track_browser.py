# Copyright (c) mmrdn contributors. All rights reserved.
import json

import cv2
import numpy as np
import pytest

from mmrdn.browsing import track_browser

SIZE = (60, 80)  # height and width


def frames(scores, ids):
    """A file: one box a frame at x = 10 t, and false ones elsewhere."""
    annotations = []
    for t, (score, instance) in enumerate(zip(scores, ids)):
        right = dict(image_id=t, category_id=1, bbox=[10 * t, 20, 20, 20])
        right.update(score=score)
        if instance is not None:
            right['instance_id'] = instance
        annotations += [right, dict(image_id=t, category_id=1, bbox=[60, 0, 9, 9], score=0.3)]
    return dict(
        categories=[dict(id=1, name='cat')],
        videos=[dict(id=5, name='v')],
        images=[
            dict(id=t, video_id=5, frame_id=t, file_name=f'{t}.png', height=SIZE[0], width=SIZE[1])
            for t in range(len(scores))
        ],
        annotations=annotations,
    )


@pytest.fixture
def browse(tmp_path, run_main):
    """Run the tool on four frames; the detector misses the third."""
    scores = [0.9, 0.8, 0.2, 0.7]
    linked = frames([1.8, 1.7, 1.1, 1.6], [0] * 4)
    truth = frames(scores, [None] * 4)
    truth['annotations'] = [dict(a, instance_id=1) for a in truth['annotations'][::2]]
    for t in range(4):
        cv2.imwrite(str(tmp_path / f'{t}.png'), np.full((*SIZE, 3), 50 * t, np.uint8))

    def call(out='out.png', before=scores, linked=linked, unknown=(), options=()):
        paths = []
        images = [image | (dict(is_annotated=False) if image['id'] in unknown else {}) for image in truth['images']]
        contents = frames(before, [None] * 4), linked, dict(truth, images=images)
        for name, content in zip(('before', 'linked', 'truth'), contents):
            paths.append(tmp_path / f'{name}.json')
            paths[-1].write_text(json.dumps(content))
        return run_main('analysis_tools/browse_tube.py', *paths, tmp_path, tmp_path / out, *options)

    return call


def test_recovered_detection_by_hand(browse, tmp_path):
    """At 0.5 three are shown; as many reach 1.6 after linking: none new."""
    status, _, stderr = browse()
    assert status == 1 and 'recovered no right detection' in stderr
    # With one false box above 0.5, four are shown: 1.1 is enough.
    status, stdout, _ = browse(options=['--score-thr', '0.3'])
    assert status == 0
    # Before: .9 .8 .7 and four times .3: seven. After: 1.8 1.7 1.6 1.1 and three of .3, so the
    # threshold is .3.
    assert 'track 0 of video 5, 4 frames, 1 detections recovered' in stdout
    assert 'threshold 0.3 before, 0.300 after linking' in stdout
    picture = cv2.imread(str(tmp_path / 'out.png'))
    rows = np.split(picture, 2)
    assert rows[0].shape[0] > 4 * SIZE[0]  # drawn 4 times larger
    # Edges are colored: the frame without a box is gray throughout.
    width = picture.shape[1] / 4

    def colorful(row, t):
        panel = row[40:, int(t * width) + 12 : int((t + 1) * width) - 12]
        return (panel.max(-1) != panel.min(-1)).any()

    assert [colorful(rows[0], t) for t in range(4)] == [1, 1, 0, 1]
    assert [colorful(rows[1], t) for t in range(4)] == [1, 1, 1, 1]


def test_boxes_that_linking_took_out(browse):
    """False boxes of two frames: six boxes are left of the seven to be shown, so all of them are."""
    linked = frames([1.8, 1.7, 1.1, 1.6], [0] * 4)
    linked['suppressed'] = [dict(linked['annotations'].pop(i), id=i + 1) for i in (3, 1)]
    status, stdout, stderr = browse(linked=linked, options=['--score-thr', '0.3'])
    assert status == 0, stderr
    assert 'track 0 of video 5, 4 frames, 1 detections recovered' in stdout
    assert 'threshold 0.3 before, 0.300 after linking' in stdout


def test_frames_that_nobody_annotated_are_marked(browse, monkeypatch):
    """Linking raises two above the threshold; one is in such a frame and counts as neither."""
    titles = []
    monkeypatch.setattr(track_browser, 'titled_panels', lambda panels, names: titles.append(names) or panels[0])
    linked = frames([1.8, 1.7, 1.1, 1.2], [0] * 4)
    before = [0.9, 0.2, 0.2, 0.7]
    options = ['--score-thr', '0.3']
    for unknown, recovered in (((), 2), ((1,), 1)):
        status, stdout, stderr = browse(
            before=before, linked=linked, unknown=unknown, options=[*options, '--overwrite']
        )
        assert status == 0, stderr
        assert f'track 0 of video 5, 4 frames, {recovered} detections recovered' in stdout
    names = ['frame 0', 'frame 1, not annotated', 'frame 2', 'frame 3']
    assert titles[2:] == [[f'{row}, {name}' for name in names] for row in ('detector', 'linked')]
    assert 'annotated' not in ''.join(titles[0] + titles[1])


def test_bad_input_is_named(browse, tmp_path):
    options = ['--score-thr', '0.3']
    other = frames([1.8, 1.7, 1.1, 1.6], [0] * 4)
    del other['annotations'][0]
    status, _, stderr = browse(linked=other, options=options)
    assert status == 1 and 'must hold the boxes of' in stderr
    (tmp_path / '2.png').unlink()
    status, _, stderr = browse(options=options)
    assert status == 1 and '2.png does not exist' in stderr
    (tmp_path / 'out.png').write_text('mine')
    status, _, stderr = browse(options=options)
    assert status == 1 and 'out.png exists' in stderr
    assert (tmp_path / 'out.png').read_text() == 'mine'
