# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
from mmengine.config import Config

from helpers.converters import MMDET
from mmrdn.model_converters.config_text import COMPUTED, check_written_out, read_config_text


@pytest.mark.parametrize('name', ['_fpn', '-caffe-c4', '-caffe-dc5'])
def test_text_of_a_checkpoint(name):
    """The same as by running it, as MMEngine does."""
    path = MMDET / f'faster-rcnn_r50{name}.py'
    expected = Config.fromfile(path)
    assert read_config_text(expected.pretty_text).to_dict() == expected.to_dict()
    # As written by hand: names, 1.0 / 9.0, no bases.
    found = read_config_text(path.read_text()).model
    assert found.backbone == expected.model.backbone
    assert found.rpn_head.anchor_generator == expected.model.rpn_head.anchor_generator


def test_nothing_is_run(tmp_path):
    made = tmp_path / 'made'
    text = f"""
import pathlib
pathlib.Path({str(made)!r}).touch()
a = pathlib.Path({str(made)!r}).touch()
b = dict(x=open({str(made)!r}, 'w'), y=2, **dict(z=3))
c = [1, __import__('pathlib')]
d = {{'k': -1.5, 'l': (2, None), 'm': len('abc')}}
e = dict(b=b, f=f'{{open}}')
g: int = 3
for h in range(3):
    i = h
j = k = True
"""
    assert read_config_text(text).to_dict() == dict(
        b=dict(x=COMPUTED, y=2),
        d=dict(k=-1.5, l=(2, None), m=COMPUTED),
        e=dict(b=dict(x=COMPUTED, y=2), f=COMPUTED),
        j=True,
        k=True,
    )
    assert not made.exists()


def test_bases_before_the_file():
    """As MMCV wrote it: each text after its path, the config itself last."""
    text = """
/home/me/configs/_base_/models/faster_rcnn_r50_fpn.py
model = dict(
    type='FasterRCNN',
    backbone=dict(depth=50, style='pytorch'),
    neck=dict(type='FPN', num_outs=5))

configs/faster_rcnn/faster_rcnn_r50_caffe_fpn_1x_coco.py
_base_ = './faster_rcnn_r50_fpn_1x_coco.py'
model = dict(
    backbone=dict(style='caffe'), neck=dict(_delete_=True, type='PAFPN'))
"""
    assert read_config_text(text).model.to_dict() == dict(
        type='FasterRCNN', backbone=dict(depth=50, style='caffe'), neck=dict(type='PAFPN')
    )


@pytest.mark.parametrize('text', ['', 'no config', '(' * 10000, 'a = 1\n  b = 2', 'a = "\0"'])
def test_no_config(text):
    assert read_config_text(text).to_dict() == {}


def test_settings_that_matter_are_written_out():
    """An option that is computed is no default."""
    model = read_config_text("""
styles = ('caffe', 'pytorch')
model = dict(
    backbone=dict(style=styles[0], depth=int('50'), norm_cfg=dict(type='BN')),
    rpn_head=dict(bbox_coder=dict(target_stds=[1.] * 4)))
""").model
    with pytest.raises(ValueError) as error:
        check_written_out(model.backbone, 'backbone')
    assert str(error.value) == '"backbone.style" of its config is computed'
    with pytest.raises(ValueError) as error:
        check_written_out(model.rpn_head, 'rpn_head')
    assert str(error.value) == '"rpn_head.bbox_coder.target_stds" of its config is computed'
    check_written_out(dict(model.backbone, style='caffe'), 'backbone')
