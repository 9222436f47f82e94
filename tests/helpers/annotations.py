# Copyright (c) mmrdn contributors. All rights reserved.
"""Running the converters of annotations, and reading what they wrote."""

import json
from pathlib import Path

from PIL import Image

from mmrdn.datasets.converters.conversion import convert_to_coco_vid
from mmrdn.datasets.converters.frame_files import FrameFiles
from mmrdn.datasets.converters.image_directory import ImageDirectory


def convert(name, inputs, out, size=None, frames=None, template=None, **options):
    """Convert files; give the data and the lines of the loss report."""
    inputs = [inputs] if isinstance(inputs, (str, Path)) else inputs
    files = ImageDirectory(frames) if frames else FrameFiles(template, size)
    summary = convert_to_coco_vid(name, inputs, out, files, **options)
    return json.loads(Path(out).read_text()), summary['']['losses']


def boxes_of(data, video=None):
    """Boxes as {(frame_id, class): [bbox, ...]}, ignored ones as class 'ignore'."""
    names = {entry['id']: entry['name'] for entry in data['categories']}
    videos = {entry['id']: entry['name'] for entry in data['videos']}
    images = {entry['id']: entry for entry in data['images']}
    found = {}
    for entry in data['annotations']:
        image = images[entry['image_id']]
        assert entry['video_id'] == image['video_id']
        if video is None or videos[image['video_id']] == video:
            name = 'ignore' if entry.get('ignore') else names[entry['category_id']]
            found.setdefault((image['frame_id'], name), []).append(entry['bbox'])
    return found


def make_images(directory, names, size=(64, 48)):
    """Write small images."""
    for name in names:
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', size).save(path)
