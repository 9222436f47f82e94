# Copyright (c) mmrdn contributors. All rights reserved.
import json

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from mmrdn.visualization import class_color
from mmrdn.visualization.canvas import panel_margin, title_height

TOOL = 'analysis_tools/compare_predictions.py'
HEIGHT, WIDTH, SCALE = 60, 100, 4  # 4 * 100 is the first above 320


def coco(boxes):
    """Two videos of two frames; boxes by image id, with scores or none."""
    annotations = [
        dict(id=i, image_id=image, category_id=1, instance_id=i, bbox=box, **(dict(score=score) if score else {}))
        for i, (image, box, score) in enumerate(boxes)
    ]
    return dict(
        categories=[dict(id=1, name='cat')],
        videos=[dict(id=5, name='v'), dict(id=6, name='w')],
        images=[
            dict(id=t, video_id=5 + t // 2, frame_id=t % 2, file_name=f'{t}.png', height=HEIGHT, width=WIDTH)
            for t in range(4)
        ],
        annotations=annotations,
    )


@pytest.fixture
def compare(tmp_path, run_main):
    """Run the tool on hand-made files."""
    files = dict(
        truth=coco([(t, [10, 20, 30, 30], None) for t in range(4)]),
        a=coco([(0, [50, 20, 30, 30], 0.9), (2, [50, 20, 30, 30], 0.9)]),
        b=coco([(1, [50, 20, 30, 30], 0.6), (3, [50, 20, 30, 30], 0.4)]),
        other=coco([]),
    )
    del files['other']['images'][3]
    for name, content in files.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    for t in range(4):
        gray = np.full((HEIGHT, WIDTH, 3), 30 + 50 * t, np.uint8)
        cv2.imwrite(str(tmp_path / f'{t}.png'), gray)

    def call(*options, predictions=('A={}/a.json', 'B={}/b.json'), out='out.mp4'):
        return run_main(
            TOOL,
            tmp_path / 'truth.json',
            tmp_path,
            tmp_path / out,
            *(word.format(tmp_path) for word in predictions),
            *options,
        )

    return call


def read_panels(path, count):
    """The images without titles, each frame a list of its panels."""
    height, width = SCALE * HEIGHT, SCALE * WIDTH
    margin, top = panel_margin(height, width), title_height(height, width)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
        frames = [f.to_ndarray(format='bgr24') for f in container.decode()]
    right = margin + count * (width + margin)
    assert {(f.shape[0], f.shape[1]) for f in frames} == {(top + height + height % 2 + top % 2, right + right % 2)}
    lefts = [margin + i * (width + margin) for i in range(count)]
    return [[f[top : top + height, x : x + width] for x in lefts] for f in frames]


def has_box(panel, x):
    """Whether there is an edge in the class's color at column x."""
    strip = panel[SCALE * 35, SCALE * x - 3 : SCALE * x + 4].astype(int)
    return bool((np.abs(strip - class_color(0)).max(-1) < 60).any())


@pytest.mark.parametrize(
    'options, videos, in_b',
    [
        ([], 4, [0, 1, 0, 0]),
        (['--score-thr', '.3'], 4, [0, 1, 0, 1]),
        (['--score-thr', '.7'], 4, [0, 0, 0, 0]),
        (['--video', '6', '--score-thr', '.3'], 2, [0, 1]),
    ],
)
def test_panels_by_hand(compare, tmp_path, options, videos, in_b):
    status, out, err = compare('--truth', *options)
    path = tmp_path / 'out.mp4'
    assert (status, out, err) == (0, f'{path}: {videos} frames\n', '')
    frames = read_panels(path, 3)
    assert len(frames) == videos
    first = 4 - videos
    for t, panels in enumerate(frames):
        for panel in panels:  # of this frame (steps are 50)
            assert abs(int(panel[-8, -8, 0]) - (30 + 50 * (first + t))) < 10
        found = [[has_box(panel, x) for x in (10, 50)] for panel in panels]
        assert found[0] == [True, False]
        assert found[1] == [False, t % 2 == 0]
        assert found[2] == [False, bool(in_b[t])]


def test_a_loop_of_the_frames_in_which_the_last_is_most_ahead(compare, tmp_path):
    """A has a false alarm in frames 0 and 2, B in frame 1: of two in a row B is ahead in 2 and 3."""
    status, out, err = compare('--num-best', '2', '--fps', '4', out='out.gif')
    assert (status, out, err) == (0, f'{tmp_path}/out.gif: 2 frames\n', '')
    with Image.open(tmp_path / 'out.gif') as file:
        assert (file.n_frames, file.info['duration'], file.info['loop']) == (2, 250, 0)
        for t in range(2):
            file.seek(t)
            gray = np.asarray(file.convert('RGB'))[-8, -20]
            assert np.abs(gray.astype(int) - (130 + 50 * t)).max() <= 2
    status, _, err = compare('--num-best', '0', out='new.gif')
    assert (status, err) == (1, 'error: num_best must be an integer number of frames, 1 or more, got 0\n')


def test_one_model_without_truth(compare, tmp_path):
    assert compare(predictions=['A={}/a.json'])[0] == 0
    frames = read_panels(tmp_path / 'out.mp4', 1)
    assert [has_box(f[0], 50) for f in frames] == [True, False, True, False]


@pytest.mark.parametrize(
    'predictions, options, message',
    [
        (['a.json'], [], 'predictions must be NAME=FILE, got a.json'),
        (['A='], [], 'predictions must be NAME=FILE, got A='),
        (['A={0}/a.json', 'A={0}/b.json'], [], 'the name A is there twice'),
        (['A={0}/none.json'], [], '{0}/none.json does not exist'),
        (['A={0}/truth.json'], [], "{0}/truth.json: annotations[0] must have the field 'score'"),
        (['A={0}/other.json'], [], '{0}/other.json has no image id 3, expected those of {0}/truth.json'),
        (['A={0}/a.json'], ['--video', '7'], '{0}/truth.json has no video 7, expected one of: 5, 6'),
        (['A={0}/a.json'], ['--fps', '0'], 'fps must be positive, got 0.0'),
        (['A={0}/a.json'], ['--score-thr', 'nan'], 'score_thr must be 0 or more, got nan'),
    ],
)
def test_bad_input_is_named(compare, tmp_path, predictions, options, message):
    status, out, err = compare(*options, predictions=predictions)
    assert (status, out) == (1, '')
    assert err == f'error: {message.format(tmp_path)}\n'
    assert not list(tmp_path.glob('*.mp4')) and not list(tmp_path.glob('.*'))  # nothing half done


def test_missing_image_is_named(compare, tmp_path):
    (tmp_path / '2.png').write_text('no image')
    status, _, err = compare()
    path = tmp_path / '2.png'
    assert (status, err) == (1, f'error: image {path} cannot be decoded\n')
    assert not (tmp_path / 'out.mp4').exists()


def test_nothing_is_written_over(compare, tmp_path):
    (tmp_path / 'out.mp4').write_text('mine')
    status, _, err = compare()
    assert status == 1 and 'out.mp4' in err and err.count('\n') == 1
    assert (tmp_path / 'out.mp4').read_text() == 'mine'
    assert compare('--overwrite')[0] == 0
    assert len(read_panels(tmp_path / 'out.mp4', 2)) == 4
