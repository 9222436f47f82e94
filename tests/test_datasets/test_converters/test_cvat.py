# Copyright (c) mmrdn contributors. All rights reserved.
"""CVAT for video 1.1 and for images 1.1, as CVAT 2 exports them."""

import zipfile

import pytest

from helpers.annotations import boxes_of, convert, make_images

HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>crossing, day 1</name>
      <size>{size}</size>
      <mode>interpolation</mode>
      <overlap>5</overlap>
      <bugtracker></bugtracker>
      <created>2024-03-01 10:00:00.000000+00:00</created>
      <subset>default</subset>
      <start_frame>{start}</start_frame>
      <stop_frame>{stop}</stop_frame>
      <frame_filter>{step}</frame_filter>
      <labels>
        <label><name>car</name><color>#ff0000</color><type>any</type><attributes></attributes></label>
        <label><name>person</name><color>#00ff00</color><type>any</type><attributes></attributes></label>
      </labels>
      <segments><segment><id>7</id><start>0</start><stop>9</stop><url>http://localhost/api/jobs/7</url></segment></segments>
      <owner><username>ann</username><email></email></owner>
      <original_size><width>640</width><height>360</height></original_size>
      <source>{source}</source>
    </task>
    <dumped>2024-03-02 10:00:00.000000+00:00</dumped>
  </meta>
"""
IMAGES = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>1</id><name>stills</name><size>3</size><mode>annotation</mode>
<labels><label><name>car</name></label><label><name>dog</name></label></labels></task></meta>
<image id="0" name="clip a/frame_000000.png" width="640" height="360">
  <box label="car" source="manual" occluded="1" xtl="10.00" ytl="20.00" xbr="30.50" ybr="60.00" z_order="0">
    <attribute name="track_id">4</attribute><attribute name="color">red</attribute></box>
  <tag label="dog" source="manual"></tag>
</image>
<image id="2" name="clip a/frame_000010.png" width="640" height="360"></image>
<image id="1" name="clip a/frame_000002.png" width="640" height="360">
  <box label="car" source="manual" occluded="0" xtl="12.00" ytl="20.00" xbr="32.00" ybr="60.00" z_order="0">
    <attribute name="track_id">4</attribute></box>
  <box label="dog" source="manual" occluded="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00" z_order="0"></box>
</image>
</annotations>"""


def video_xml(body, size=10, start=0, stop=9, step='', source='cross road.mp4'):
    return HEAD.format(size=size, start=start, stop=stop, step=step, source=source) + body + '</annotations>\n'


def track(label, *boxes, number=0, extra=''):
    return f'<track id="{number}" label="{label}" source="manual"{extra}>{"".join(boxes)}</track>'


def box(frame, corners, keyframe=1, outside=0, occluded=0, extra='', inner=''):
    x1, y1, x2, y2 = corners
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="{occluded}" xtl="{x1:.2f}" '
        f'ytl="{y1:.2f}" xbr="{x2:.2f}" ybr="{y2:.2f}" z_order="0"{extra}>{inner}</box>\n'
    )


@pytest.fixture
def read(tmp_path):
    def call(text, name='cvat-video', **options):
        path = tmp_path / 'annotations.xml'
        path.write_text(text, encoding='utf-8')
        return convert(name, path, tmp_path / 'out.json', overwrite=True, **options)

    return call


def test_keyframes_outside_and_explicit_boxes(read):
    """Keyframes 0, 4 and 6 (outside), then 8; the explicit box of frame 2 is off the line."""
    data, losses = read(
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


def test_frames_with_keyframes_only(read):
    """The car has them in 0 and 6, the person in 3, where the car's box is on the way.

    That the person is gone in 4 is what CVAT writes by itself after a shape of one frame.
    """
    tracks = [
        track('car', box(0, (10, 20, 50, 60)), box(6, (22, 20, 62, 60)), box(9, (22, 20, 62, 60), outside=1)),
        track('person', box(3, (100, 100, 120, 140)), box(4, (100, 100, 120, 140), outside=1), number=1),
    ]
    data, losses = read(video_xml(''.join(tracks)), annotated_only=True)
    assert boxes_of(data) == {
        (0, 'car'): [[10, 20, 40, 40]],
        (3, 'car'): [[16, 20, 40, 40]],
        (3, 'person'): [[100, 100, 20, 40]],
        (6, 'car'): [[22, 20, 40, 40]],
    }
    assert [image['frame_id'] for image in data['images'] if image.get('is_annotated', True)] == [0, 3, 6]
    (line,) = losses  # frames 1, 2, 4, 5, 7 and 8
    assert line.startswith('6 x boxes between the annotated frames were left out, first at ')


def test_offset_and_step(read):
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
    data, losses = read(text, template='f/<video>-<number:04d>.png')
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


def test_shapes_become_boxes_and_are_counted(read):
    data, losses = read(
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
        '1 x attributes were left out',
        '1 x boxes without an area were left out',
    ]
    assert 'annotations.xml: track 0, <box> of frame 0' in losses[0]


def test_out_of_sight_after_the_end(read):
    """As in a file of a job: the next keyframe lies beyond it."""
    data, _ = read(video_xml(track('car', box(8, (0, 0, 10, 10)), box(12, (40, 0, 50, 10), outside=1))))
    assert boxes_of(data) == {(8, 'car'): [[0, 0, 10, 10]], (9, 'car'): [[10, 0, 10, 10]]}


def test_rotation_goes_the_short_way_round(read):
    """From 350 to 10 degrees over 0: at frame 1 it is upright."""
    data, _ = read(
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


def test_zip_with_images(tmp_path):
    path = tmp_path / 'task.zip'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('annotations.xml', video_xml(track('car', box(0, (1, 2, 3, 4))), size=2, stop=1))
        for frame in (1, 0):
            file.writestr(f'images/frame_00000{frame}.PNG', b'')
    data, _ = convert('cvat-video', path, tmp_path / 'out.json')
    names = [image['file_name'] for image in data['images']]
    assert names == ['cross road/frame_000000.PNG', 'cross road/frame_000001.PNG']


def test_frames_on_disk(tmp_path):
    """A directory holds every frame of the video: those of the step are taken."""
    make_images(tmp_path / 'frames', [f'cross road/{i:05d}.png' for i in range(12)])
    path = tmp_path / 'a.xml'
    text = video_xml(track('car', box(3, (1, 2, 3, 4))), size=3, start=3, stop=9, step='step=3')
    path.write_text(text.replace('<width>640</width>', ''))
    data, _ = convert('cvat-video', path, tmp_path / 'out.json', frames=tmp_path / 'frames')
    assert [image['file_name'] for image in data['images']] == [f'cross road/0000{i}.png' for i in (3, 6, 9)]
    assert {(image['width'], image['height']) for image in data['images']} == {(64, 48)}


def test_images_by_hand(read):
    data, losses = read(IMAGES, 'cvat-images')
    assert data['videos'] == [dict(id=1, name='clip a')]
    assert [image['file_name'][-10:] for image in data['images']] == ['000000.png', '000002.png', '000010.png']
    assert boxes_of(data) == {
        (0, 'car'): [[10, 20, 20.5, 40]],
        (1, 'car'): [[12, 20, 20, 40]],
        (1, 'dog'): [[1, 2, 2, 2]],
    }
    assert [entry['instance_id'] for entry in data['annotations']] == [1, 1, 2]
    assert [entry['occluded'] for entry in data['annotations']] == [True, False, False]
    assert sorted(line.split(',')[0] for line in losses) == [
        '1 x <tag> were left out',
        '1 x attributes were left out',
        '1 x boxes without a track id',
    ]


GOOD = video_xml(track('car', box(0, (1, 2, 3, 4))))


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'is empty'),
        (GOOD[: len(GOOD) // 2], 'broken XML'),
        (
            GOOD.replace('label="car"', 'label="yak"'),
            "track 0: unknown class 'yak', the file's <labels> are car, person",
        ),
        (GOOD.replace('frame="0"', 'frame="10"'), 'track 0: frame 10 is beyond the video, which has 10 frames'),
        (GOOD.replace('xtl="1.00"', 'xtl="nan"'), "track 0, <box> of frame 0: xtl must be a number, got 'nan'"),
        (GOOD.replace(' xtl="1.00"', ''), 'track 0, <box> of frame 0 has no xtl'),
        (GOOD.replace('outside="0"', 'outside="2"'), 'outside must be 0 or 1'),
        (GOOD.replace('frame="0"', 'frame="x"'), 'frame must be an integer'),
        (GOOD.replace('<width>640</width>', ''), 'pass --frames DIR, --videos DIR or --size WxH'),
        (GOOD.replace('<size>10</size>', '<size>99999999999</size>'), 'expected 1 to 10000000'),
        (IMAGES, 'it looks like the format cvat-images'),
        ('{"images": [], "annotations": [], "categories": []}', 'it looks like the format coco'),
        ('<annotation><object></object></annotation>', 'it looks like the format voc'),
        (video_xml(''), 'no boxes that could be converted'),
    ],
)
def test_bad_files_get_one_line_and_write_nothing(read, tmp_path, text, message):
    with pytest.raises(ValueError) as caught:
        read(text)
    assert message in str(caught.value)
    assert str(tmp_path / 'annotations.xml') in str(caught.value)
    assert not (tmp_path / 'out.json').exists()


def test_size_of_the_command_line(read):
    data, _ = read(GOOD.replace('<width>640</width>', ''), size=(100, 50))
    assert (data['images'][0]['width'], data['images'][0]['height']) == (100, 50)


def test_broken_zip(tmp_path):
    path = tmp_path / 'task.zip'
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('annotations.xml', GOOD)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match='truncated or broken zip'):
        convert('cvat-video', path, tmp_path / 'out.json')


def test_two_files_for_one_video(tmp_path):
    for name in ('a.xml', 'b.xml'):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(ValueError, match='two files for the video cross road: .*a.xml and .*b.xml'):
        convert('cvat-video', [tmp_path / 'a.xml', tmp_path / 'b.xml'], tmp_path / 'out.json')


def test_classes_and_map(read):
    text = video_xml(track('car', box(8, (1, 2, 3, 4))) + track('person', box(9, (5, 5, 8, 8)), number=1))
    data, losses = read(text, classes=['human'], renamed=dict(person='human'))
    assert data['categories'] == [dict(id=1, name='human')]
    assert boxes_of(data) == {(9, 'human'): [[5, 5, 3, 3]]}
    assert losses[0].startswith('2 x boxes of the class car were left out')
    with pytest.raises(ValueError, match="there is no class 'yak' .* the classes are car, person"):
        read(text, classes=['yak'])
    with pytest.raises(ValueError, match="--map: there is no class 'yak', the classes are car, person"):
        read(text, renamed=dict(yak='cow'))


def test_unicode_names(read, tmp_path):
    text = video_xml(track('car', box(0, (1, 2, 3, 4))), source='Straße 通り.mp4')
    data, _ = read(text)
    assert data['images'][0]['file_name'] == 'Straße 通り/000000.jpg'
