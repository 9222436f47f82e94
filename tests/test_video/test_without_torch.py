# Copyright (c) mmrdn contributors. All rights reserved.
"""Frames are read, drawn and written where neither torch nor OpenMMLab is installed."""

import subprocess
import sys

import pytest

from helpers.tools import ROOT
from helpers.videos import noise, read_mp4, write_mp4

# The package itself makes OpenMMLab fit together when it is imported, so an empty one stands in.
SCRIPT = """
import sys, types
for name in ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmtrack'):
    sys.modules[name] = None  # importing it fails
sys.modules['mmrdn'] = types.ModuleType('mmrdn')
sys.modules['mmrdn'].__path__ = [sys.argv[1]]

from mmrdn.structures import FrameDetections
from mmrdn.video import JsonLinesWriter, VideoWriter, open_source
from mmrdn.visualization import FrameDrawer
from mmrdn.visualization.timeline import draw_timeline

drawer = FrameDrawer(['cat'])
with VideoWriter('out.mp4') as video, JsonLinesWriter('out.jsonl', drawer.classes) as lines:
    for frame in open_source('in.mp4'):
        found = FrameDetections(
            bboxes=[[8, 8, 40, 40]], scores=[0.9], labels=[0], frame_id=frame.index, width=64, height=48
        )
        video.write(drawer.draw(frame.image, found), frame.time)
        lines.write(found)
draw_timeline([], drawer.classes, 1.0)
"""


@pytest.mark.slow
def test_video_and_drawing_need_neither_torch_nor_openmmlab(tmp_path):
    write_mp4(tmp_path / 'in.mp4', noise(3))
    subprocess.run([sys.executable, '-c', SCRIPT, str(ROOT / 'mmrdn')], check=True, cwd=tmp_path)
    assert len(read_mp4(tmp_path / 'out.mp4')[0]) == 3
    assert len((tmp_path / 'out.jsonl').read_text().splitlines()) == 3
