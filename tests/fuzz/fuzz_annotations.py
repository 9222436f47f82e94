# Copyright (c) mmrdn contributors. All rights reserved.
"""Mutants of the files of annotation tools, for every reader of ``to_coco_vid.py``.

A mutant is converted, or refused in one line that names the file, and then nothing is written.
``test_fuzz_annotations.py`` runs a few; by hand: ``python tests/fuzz/fuzz_annotations.py --cases 10000``.
"""

import json
import random
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(path) for path in (ROOT, ROOT / 'tests') if str(path) not in sys.path]

from fuzz.command import run_command  # noqa: E402
from fuzz.fuzz_json import changed_xml, garbled, mutant  # noqa: E402
from mmrdn.datasets.converters.conversion import convert_to_coco_vid  # noqa: E402
from mmrdn.datasets.converters.frame_files import FrameFiles  # noqa: E402
from mmrdn.utils.cli import describe  # noqa: E402

_BOX = 'keyframe="1" outside="{}" occluded="0" xtl="1.00" ytl="2.00" xbr="30.50" ybr="40.00" z_order="0"'
_META = (
    '<version>1.1</version><meta><task><id>1</id><name>t</name><size>9</size><start_frame>2</start_frame>'
    '<stop_frame>18</stop_frame><frame_filter>step=2</frame_filter><labels><label><name>car</name></label></labels>'
    '<original_size><width>64</width><height>48</height></original_size><source>v.mp4</source></task></meta>'
)
_SEQUENCE = [dict(frame=1, enabled=True, rotation=10, x=1, y=2, width=30, height=40, time=0.1)]
_SEQUENCE += [dict(frame=5, enabled=False, rotation=0, x=2.5, y=2, width=30, height=40, time=0.5)]
_IMAGES = [dict(id=i, file_name=f'a/{i}.jpg', width=64, height=48) for i in (1, 2)]
_MASK = dict(size=[48, 64], counts=[51, 5, 3016])
# Name of the format: name and content of a file.
SAMPLES: dict[str, tuple[str, Any]] = {
    'cvat-video': (
        'a.xml',
        f'<annotations>{_META}<track id="0" label="car" source="manual"><box frame="2" {_BOX.format(0)} rotation="30"/>'
        f'<polygon frame="6" keyframe="1" outside="0" occluded="1" points="1,2;3,4;9,1"/>'
        f'<box frame="9" {_BOX.format(1)}><attribute name="a">b</attribute></box></track></annotations>',
    ),
    'cvat-images': (
        'a.xml',
        f'<annotations>{_META}<image id="0" name="a/1.jpg" width="64" height="48"><box label="car" {_BOX.format(0)}/>'
        '<mask label="car" rle="1, 2" left="3" top="4" width="5" height="6" occluded="0"/></image></annotations>',
    ),
    'mot': ('a.txt', '1,1,12,13,14,15,1,1,0.5\n2,1,12,13.5,14,15,1,1,1\n3,2,1,2,3,4,0,7,1\n'),
    'coco': (
        'a.json',
        dict(
            images=_IMAGES,
            categories=[dict(id=1, name='car')],
            annotations=[
                dict(id=1, image_id=1, category_id=1, bbox=[1, 2, 3, 4], attributes=dict(track_id=1, rotation=10.0)),
                dict(id=2, image_id=2, category_id=1, segmentation=[[1, 2, 3, 4, 9, 1]], track_id=1, iscrowd=0),
                dict(id=3, image_id=2, category_id=1, segmentation=_MASK),
            ],
        ),
    ),
    'yolo': ('a/v_1.txt', '0 0.5 0.5 0.25 0.25 3\n1 0.1 0.2 0.3 0.4 7\n'),
    'label-studio': (
        'a.json',
        [
            dict(
                data=dict(video='/data/v.mp4'),
                annotations=[
                    dict(
                        result=[
                            dict(
                                type='videorectangle',
                                id='x',
                                value=dict(framesCount=9, duration=1, sequence=_SEQUENCE, labels=['car']),
                            )
                        ],
                        was_cancelled=False,
                    )
                ],
            )
        ],
    ),
    'ytvis': (
        'a.json',
        dict(
            videos=[dict(id=1, width=64, height=48, length=2, file_names=['v/0.jpg', 'v/1.jpg'])],
            categories=[dict(id=1, name='car')],
            annotations=[
                dict(id=1, video_id=1, category_id=1, iscrowd=0, bboxes=[[1, 2, 3, 4], None])
                | dict(segmentations=[None, _MASK], occlusion=['no_occlusion', None])
            ],
        ),
    ),
    'voc': (
        'a_1.xml',
        '<annotation><filename>a_1.jpg</filename><size><width>64</width><height>48</height></size><object><name>car</name>'
        '<trackid>3</trackid><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax>'
        '</bndbox></object></annotation>',
    ),
    'ilsvrc': (
        'v/000000.xml',
        '<annotation><size><width>64</width><height>48</height></size><object><trackid>0</trackid><name>n02084071</name>'
        '<bndbox><xmax>30</xmax><xmin>1</xmin><ymax>40</ymax><ymin>2</ymin></bndbox><occluded>0</occluded></object>'
        '</annotation>',
    ),
    'labelme': (
        'a_1.json',
        dict(
            version='5',
            imagePath='a_1.jpg',
            imageWidth=64,
            imageHeight=48,
            shapes=[
                dict(label='car', points=[[1, 2], [3, 4]], shape_type='rectangle', group_id=1, difficult=False),
                dict(label='car', points=[[9, 9], [3, 4]], shape_type='circle', group_id=None, flags={}, attributes={}),
            ],
        ),
    ),
    'visdrone': ('a.txt', '1,0,1,2,30,40,0,0,0,0\n1,3,5,6,7,8,1,4,0,1\n3,3,5,6,7,8,1,4,0,0\n'),
    'kitti': ('0000.txt', '0 2 Car 0 2 -2.5 1 2 30.5 40 1.7 0.5 0.9 6.3 1.6 7.4 -1.8\n'),
}


def fuzz(cases: int, seed: int, directory: Path, verbose: bool = False) -> Counter:
    """Convert mutants; count what became of them.

    Args:
        cases (int): Number of mutants.
        seed (int): Seed.
        directory (Path): Empty directory.
        verbose (bool): Whether to print wrong outcomes.

    Returns:
        Counter: Numbers of ``read``, ``refused``, and of wrong outcomes: ``unnamed`` for a message
        without the file or of more lines, ``written`` for an output beside an error, else the type of
        the error.
    """
    counts: Counter = Counter()
    for case in range(cases):
        rng = random.Random(f'{seed} {case}')
        name = rng.choice(list(SAMPLES))
        file, valid = SAMPLES[name]
        path = directory / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        is_text = isinstance(valid, str)
        if rng.random() < (0.5 if is_text else 0.3):
            content = garbled(valid.encode() if is_text else json.dumps(valid).encode(), rng)
        elif file.endswith('.xml'):
            content = changed_xml(valid.encode(), rng)
        elif is_text:
            cells = valid.replace('\n', ' \n ').split(',' if ',' in valid else ' ')
            cells[rng.randrange(len(cells))] = rng.choice(['', 'x', '-1', 'nan', '1e999', '9' * 30, '1_0', '0', '1.5'])
            content = (',' if ',' in valid else ' ').join(cells).encode()
        else:
            try:
                content = json.dumps(mutant(valid, rng)).encode()
            except RecursionError:  # no writer writes this
                continue
        path.write_bytes(content)
        outcome = _outcome(name, path, directory / 'out.json')
        counts[outcome] += 1
        if verbose and outcome not in ('read', 'refused'):
            trace = ''.join(traceback.format_exception(sys.last_value))[-1500:] if outcome != 'written' else ''
            print(f'case {case}, {name}: {outcome}\n{trace}\n{content[:2000]!r}')
    return counts


def _outcome(name: str, path: Path, out: Path) -> str:
    out.unlink(missing_ok=True)
    classes = ['car', 'dog'] if name == 'yolo' else None
    try:
        convert_to_coco_vid(name, [path], out, FrameFiles(size=(64, 48)), classes=classes)
        return 'read'
    except ValueError as error:
        sys.last_value = error
        message = describe(error)
        if out.exists():
            return 'written'
        return 'refused' if str(out.parent / name) in message and message.isprintable() else 'unnamed'
    except Exception as error:
        sys.last_value = error
        return type(error).__name__


if __name__ == '__main__':
    run_command(fuzz, __doc__)
