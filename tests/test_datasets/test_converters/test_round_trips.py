# Copyright (c) mmrdn contributors. All rights reserved.
"""COCO-VID to other formats and back: nothing is lost that the format can hold."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.annotations import convert
from mmrdn.datasets.converters.export import convert_from_coco_vid

TOOL = 'dataset_converters/from_coco_vid.py'
SIZE = (640, 360)
# What each format holds of a box besides its place; the others are told apart by these tests.
HELD = {
    'cvat-video': ('occluded', 'keyframe'),
    'mot': ('occluded', 'ignore'),
    'ytvis': ('occluded',),
    'label-studio': (),
}
HOLDS_NAMES = ('ytvis',)
names = st.text('abcXYZ019 -_.äß通り', min_size=1, max_size=8).map(lambda text: f'v{text.strip()}x')
coordinate = st.integers(0, 3000).map(lambda value: value / 10)
side = st.integers(1, 500).map(lambda value: value / 10)


@st.composite
def data_sets(draw):
    """COCO-VID data: boxes with one decimal, tracks with gaps, each run beginning with a keyframe."""
    classes = draw(
        st.lists(st.sampled_from(['car', 'big dog', 'Straße', 'x&<"y']), min_size=1, max_size=3, unique=True)
    )
    data = dict(categories=[dict(id=i, name=name) for i, name in enumerate(classes, 1)], videos=[], images=[])
    data['annotations'] = []
    track = 0
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        video_id = len(data['videos']) + 1
        data['videos'].append(dict(id=video_id, name=name))
        length = draw(st.integers(1, 6))
        first = len(data['images']) + 1
        for i in range(length):
            image = dict(id=first + i, file_name=f'{name}/{i:06d}.jpg', width=SIZE[0], height=SIZE[1])
            data['images'].append(image | dict(video_id=video_id, frame_id=i))
        for frames in draw(st.lists(st.sets(st.integers(0, length - 1), min_size=1), min_size=1, max_size=3)):
            track += 1
            category, ignore = draw(st.integers(1, len(classes))), draw(st.booleans())
            for frame in sorted(frames):
                x, y, width, height = draw(coordinate), draw(coordinate), draw(side), draw(side)
                flags = dict(occluded=draw(st.booleans()), keyframe=frame - 1 not in frames or draw(st.booleans()))
                entry = dict(image_id=first + frame, video_id=video_id, category_id=category, instance_id=track)
                entry |= dict(id=len(data['annotations']) + 1, bbox=[x, y, width, height], area=width * height)
                data['annotations'].append(entry | flags | dict(iscrowd=False, interpolated=False, ignore=ignore))
    return data


def content_of(data, held, with_names, with_ignored):
    """Videos by name, with their length, and tracks: class, and boxes by frame with the flags that are held."""
    categories = {entry['id']: entry['name'] for entry in data['categories']}
    images = {image['id']: image for image in data['images']}
    content = {}
    for video in data['videos']:
        frames = [image for image in data['images'] if image['video_id'] == video['id']]
        tracks = {}
        for entry in data['annotations']:
            if entry['video_id'] != video['id'] or (entry.get('ignore') and not with_ignored):
                continue
            flags = tuple(bool(entry.get(key)) for key in held)
            box = tuple(round(value, 2) for value in entry['bbox'])
            frame = images[entry['image_id']]['frame_id']
            tracks.setdefault(entry['instance_id'], []).append((frame, categories[entry['category_id']], box, flags))
        listed = [image['file_name'] for image in frames] if with_names else len(frames)
        content[video['name']] = listed, sorted(map(sorted, tracks.values()))
    return content


@pytest.mark.slow
@pytest.mark.parametrize('name', list(HELD))
@settings(max_examples=40, deadline=None)
@given(data=data_sets())
def test_round_trip(name, data):
    held, with_ignored = HELD[name], name in ('mot', 'ytvis')
    if name == 'ytvis':
        held = (*held, 'ignore')
    expected = content_of(data, held, name in HOLDS_NAMES, with_ignored)
    if name == 'label-studio':  # the length of a video stands beside its tracks
        expected = {video: content for video, content in expected.items() if content[1]}
    if not any(tracks for _, tracks in expected.values()):
        return
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / 'data.json').write_text(json.dumps(data))
        out = root / 'out' if name in ('cvat-video', 'mot') else root / 'out.json'
        paths, _ = convert_from_coco_vid(name, root / 'data.json', out)
        inputs = paths if name == 'cvat-video' else [out]
        size = SIZE if name == 'label-studio' else None
        back, _ = convert(name, inputs, root / 'back.json', size=size)
    assert content_of(back, held, name in HOLDS_NAMES, with_ignored) == expected
    if name != 'label-studio':
        assert {(image['width'], image['height']) for image in back['images']} == {SIZE}


def entry(frame, box, keyframe=True, **flags):
    fields = dict(id=frame + 1, image_id=frame + 1, category_id=1, instance_id=1, bbox=box, area=1, iscrowd=False)
    return fields | dict(video_id=1, keyframe=keyframe, interpolated=not keyframe) | flags


@pytest.fixture
def source(tmp_path):
    """A track from (0, 0) to (30, 0) in frames 0 to 3, and alone in frame 5; 7 frames."""
    images = [
        dict(id=i + 1, file_name=f'a/img_{i}.png', width=100, height=50, video_id=1, frame_id=i) for i in range(7)
    ]
    annotations = [entry(i, [10 * i, 0, 10, 20], keyframe=i in (0, 3)) for i in range(4)]
    annotations.append(entry(5, [1, 2, 3, 4], occluded=True))
    data = dict(categories=[dict(id=1, name='car')], videos=[dict(id=1, name='a')], images=images)
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(data | dict(annotations=annotations)))
    return path


def test_label_studio_by_hand(source, tmp_path):
    """Keyframes only: frames 1, 4 (from which it is out of sight) and 6."""
    _, losses = convert_from_coco_vid('label-studio', source, tmp_path / 'out.json', fps=10)
    (task,) = json.loads((tmp_path / 'out.json').read_text())
    (result,) = task['annotations'][0]['result']
    keys = ('frame', 'enabled', 'x', 'y', 'width', 'height', 'time')
    assert [tuple(round(item[key], 9) for key in keys) for item in result['value']['sequence']] == [
        (1, True, 0, 0, 10, 40, 0.1),
        (4, False, 30, 0, 10, 40, 0.4),
        (6, False, 1, 4, 3, 8, 0.6),
    ]
    assert result['value']['framesCount'] == 7 and result['value']['duration'] == 0.7
    assert [line.split(',')[0] for line in losses] == ['7 x names of images were changed', '1 x flags occluded']


def test_cvat_and_mot_by_hand(source, tmp_path, run_main):
    status, stdout, stderr = run_main(TOOL, 'cvat-video', source, '--out', tmp_path / 'cvat')
    assert (status, stdout) == (0, f'{tmp_path}/cvat/a.xml\n')
    assert stderr == 'warning: 7 x names of images were changed, first at a/img_0.png, now a/000000.jpg\n'
    text = (tmp_path / 'cvat' / 'a.xml').read_text()
    box = '<box frame="4" keyframe="1" outside="1" occluded="0" xtl="30.0000" ytl="0.0000" xbr="40.0000" ybr="20.0000"'
    assert box in text and text.count('<box ') == 7 and text.count('keyframe="0"') == 2
    convert_from_coco_vid('mot', source, tmp_path / 'mot')
    rows = (tmp_path / 'mot' / 'a' / 'gt' / 'gt.txt').read_text().splitlines()
    assert rows[0] == '1,1,0.0000,0.0000,10.0000,20.0000,1,1,1'
    assert rows[-1] == '6,1,1.0000,2.0000,3.0000,4.0000,1,1,0'
    status, _, stderr = run_main(TOOL, 'mot', source, '--out', tmp_path / 'mot')
    assert status == 1 and stderr.startswith(f'error: {tmp_path}/mot/a/gt/gt.txt exists; pass --overwrite')


def test_videos_that_would_get_one_file(source, tmp_path):
    data = json.loads(source.read_text())
    data['videos'] = [dict(id=1, name='a/b'), dict(id=2, name='a_b')]
    data['images'][6]['video_id'] = 2
    source.write_text(json.dumps(data))
    with pytest.raises(ValueError, match='the videos a/b and a_b would get one name'):
        convert_from_coco_vid('cvat-video', source, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
