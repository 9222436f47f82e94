# Copyright (c) mmrdn contributors. All rights reserved.
"""CVAT for video 1.1: boxes of tracks."""

import pytest

from helpers.annotations import boxes_of, convert
from helpers.cvat_xml import box, track, video_xml


def test_keyframes_outside_and_explicit_boxes(read_cvat):
    """Keyframes 0, 4 and 6 (outside), then 8; the explicit box of frame 2 is off the line."""
    data, losses = read_cvat(
        video_xml(
            track(
                'car',
                box(0, (10, 20, 50, 60)),
                box(2, (99, 20, 139, 60), keyframe=0, occluded=1),
                box(4, (18, 28, 58, 76)),
                box(6, (22, 28, 62, 76), outside=1),
                box(8, (100, 100, 120, 140)),
            )
        )
    )
    assert losses == []
    assert boxes_of(data) == {
        (0, 'car'): [[10, 20, 40, 40]],
        (1, 'car'): [[54.5, 20, 40, 40]],
        (2, 'car'): [[99, 20, 40, 40]],
        (3, 'car'): [[58.5, 24, 40, 44]],
        (4, 'car'): [[18, 28, 40, 48]],
        (5, 'car'): [[20, 28, 40, 48]],  # on the way to where it goes out of sight
        (8, 'car'): [[100, 100, 20, 40]],
        (9, 'car'): [[100, 100, 20, 40]],  # it is not outside
    }
    flags = [(entry['keyframe'], entry['interpolated'], entry['occluded']) for entry in data['annotations']]
    drawn, made = (True, False, False), (False, True, False)
    assert flags == [drawn, made, (False, False, True), (False, True, True), drawn, made, drawn, made]
    assert {entry['instance_id'] for entry in data['annotations']} == {1}
    assert data['categories'] == [dict(id=1, name='car'), dict(id=2, name='person')]
    assert data['videos'] == [dict(id=1, name='cross road')]
    assert len(data['images']) == 10
    assert data['images'][3] == dict(
        id=4, file_name='cross road/000003.jpg', height=360, width=640, video_id=1, frame_id=3
    )


def test_frames_with_keyframes_only(read_cvat):
    """The car has them in 0 and 6, the person in 3, where the car's box is on the way.

    That the person is gone in 4 is what CVAT writes by itself after a shape of one frame.
    """
    tracks = [
        track('car', box(0, (10, 20, 50, 60)), box(6, (22, 20, 62, 60)), box(9, (22, 20, 62, 60), outside=1)),
        track('person', box(3, (100, 100, 120, 140)), box(4, (100, 100, 120, 140), outside=1), number=1),
    ]
    data, losses = read_cvat(video_xml(''.join(tracks)), annotated_only=True)
    assert boxes_of(data) == {
        (0, 'car'): [[10, 20, 40, 40]],
        (3, 'car'): [[16, 20, 40, 40]],
        (3, 'person'): [[100, 100, 20, 40]],
        (6, 'car'): [[22, 20, 40, 40]],
    }
    assert [image['frame_id'] for image in data['images'] if image.get('is_annotated', True)] == [0, 3, 6]
    (line,) = losses  # frames 1, 2, 4, 5, 7 and 8
    assert line.startswith('6 x boxes between the annotated frames were left out, first at ')


def test_offset_and_step(read_cvat):
    """Frames 100, 105, ..., 145: the keyframe of 107 lies between two of them."""
    text = video_xml(
        track('person', box(100, (0, 0, 10, 10)), box(110, (20, 0, 30, 10)), box(115, (9, 9, 19, 19), outside=1))
        + track(
            'car', box(107, (0, 0, 10, 10)), box(122, (30, 0, 40, 10)), box(125, (0, 0, 9, 9), outside=1), number=1
        ),
        start=100,
        stop=149,
        step='step=5',
    )
    data, losses = read_cvat(text, template='f/<video>-<number:04d>.png')
    assert [image['file_name'] for image in data['images']][::9] == ['f/cross road-0100.png', 'f/cross road-0145.png']
    assert boxes_of(data) == {
        (0, 'person'): [[0, 0, 10, 10]],
        (1, 'person'): [[10, 0, 10, 10]],
        (2, 'person'): [[20, 0, 10, 10]],
        (2, 'car'): [[6, 0, 10, 10]],
        (3, 'car'): [[16, 0, 10, 10]],
        (4, 'car'): [[26, 0, 10, 10]],
    }
    assert len(losses) == 1 and losses[0].startswith('2 x boxes of frames that the step skips')


def test_shapes_become_boxes_and_are_counted(read_cvat):
    data, losses = read_cvat(
        video_xml(
            # 40 x 20 about (50, 50), turned by 90 degrees: 20 x 40.
            track('car', box(0, (30, 40, 70, 60), extra=' rotation="90.00"'), box(1, (0, 0, 9, 9), outside=1))
            + track(
                'car',
                '<polygon frame="2" keyframe="1" outside="0" occluded="0" points="5.00,9.00;25.50,1.00;7.00,30.00" '
                'z_order="0"></polygon>',
                '<polygon frame="3" keyframe="1" outside="1" occluded="0" points="5.00,9.00;25.50,1.00;7.00,30.00" '
                'z_order="0"></polygon>',
            )
            + track(
                'car',
                '<mask frame="4" keyframe="1" outside="0" occluded="0" rle="2, 4, 2" left="10" top="20" width="4" '
                'height="2" z_order="0"></mask>',
                box(5, (0, 0, 9, 9), outside=1),
            )
            + track(
                'car',
                '<ellipse frame="6" keyframe="1" outside="0" occluded="0" cx="50" cy="60" rx="10" '
                'ry="20" z_order="0"/>',
                box(7, (0, 0, 9, 9), outside=1),
            )
            + track('car', '<points frame="0" keyframe="1" outside="0" occluded="0" points="1,2" z_order="0"/>')
            + track('car', '<cube frame="0" keyframe="1" outside="0" occluded="0" z_order="0"/>')
            + track('car', box(8, (7, 7, 7, 9)), box(9, (0, 0, 9, 9), outside=1))
            + track('car', box(8, (0, 0, 9, 9), inner='<attribute name="color">red</attribute>'), box(9, (1, 1, 2, 2)))
        )
    )
    assert boxes_of(data) == {
        (0, 'car'): [[40, 30, 20, 40]],
        (2, 'car'): [[5, 1, 20.5, 29]],
        (4, 'car'): [[10, 20, 4, 2]],
        (6, 'car'): [[40, 40, 20, 40]],
        (8, 'car'): [[0, 0, 9, 9]],
        (9, 'car'): [[1, 1, 1, 1]],
    }
    assert [line.split(',')[0] for line in losses] == [
        '1 x rotated <box> became upright boxes',
        '2 x <polygon> became boxes',
        '1 x <mask> became boxes',
        '1 x <ellipse> became boxes',
        '1 x <points> were left out',
        '1 x <cube> were left out',
        '1 x attributes were left out',
        '1 x boxes without an area were left out',
    ]
    assert 'annotations.xml: track 0, <box> of frame 0' in losses[0]


def test_out_of_sight_after_the_end(read_cvat):
    """As in a file of a job: the next keyframe lies beyond it."""
    data, _ = read_cvat(video_xml(track('car', box(8, (0, 0, 10, 10)), box(12, (40, 0, 50, 10), outside=1))))
    assert boxes_of(data) == {(8, 'car'): [[0, 0, 10, 10]], (9, 'car'): [[10, 0, 10, 10]]}


def test_rotation_goes_the_short_way_round(read_cvat):
    """From 350 to 10 degrees over 0: at frame 1 it is upright."""
    data, _ = read_cvat(
        video_xml(
            track(
                'car',
                box(0, (10, 10, 50, 30), extra=' rotation="350"'),
                box(2, (10, 10, 50, 30), extra=' rotation="10"'),
            )
        )
    )
    assert boxes_of(data)[1, 'car'] == [[10, 10, 40, 20]]
    # 40 cos 10 + 20 sin 10 and 40 sin 10 + 20 cos 10, about (30, 20)
    assert boxes_of(data)[0, 'car'][0] == pytest.approx([8.5674, 6.6784, 42.8652, 26.6421], abs=1e-3)


def test_project_with_two_tasks(tmp_path):
    task = (
        '<task><id>{0}</id><name>t{0}</name><size>{1}</size><start_frame>0</start_frame><stop_frame>9</stop_frame>'
        '<frame_filter></frame_filter><original_size><width>{2}</width><height>90</height></original_size>'
        '<source>v{0}.mp4</source></task>'
    )
    text = (
        '<annotations><version>1.1</version><meta><project><id>3</id><name>p</name><labels><label><name>car</name>'
        f'</label></labels><tasks>{task.format(11, 2, 160)}{task.format(12, 3, 200)}</tasks></project></meta>'
        + track('car', box(1, (1, 2, 3, 4)), extra=' task_id="12" subset="default"')
        + track('car', box(0, (5, 6, 9, 9)), extra=' task_id="11" subset="default"', number=1)
        + '</annotations>'
    )
    path = tmp_path / 'p.xml'
    path.write_text(text)
    data, _ = convert('cvat-video', path, tmp_path / 'out.json')
    assert [video['name'] for video in data['videos']] == ['v11', 'v12']
    assert [image['width'] for image in data['images']] == [160, 160, 200, 200, 200]
    assert boxes_of(data, 'v11') == {(0, 'car'): [[5, 6, 4, 3]], (1, 'car'): [[5, 6, 4, 3]]}
    assert boxes_of(data, 'v12') == {(1, 'car'): [[1, 2, 2, 2]], (2, 'car'): [[1, 2, 2, 2]]}
    assert [entry['instance_id'] for entry in data['annotations']] == [1, 1, 2, 2]
