# Copyright (c) mmrdn contributors. All rights reserved.
"""Swin Transformer for export: mmdet's numbers, at any height and width."""

import pytest
import torch
from mmdet.models.backbones.swin import ShiftWindowMSA

from helpers.exported import assert_plain_onnx, assert_same_results, clip, export_tiny, need_onnx, swin_model
from helpers.videos import tiny_inferencer
from mmrdn.export.exportable_swin import exportable_swin
from mmrdn.export.exportable_window_attention import ExportableWindowAttention


@pytest.mark.parametrize('shift', [0, 2, 3])
@torch.no_grad()
def test_attention_is_mmdets(shift):
    """Maps of whole windows, of parts of windows, and smaller than a window."""
    torch.manual_seed(0)
    attention = ShiftWindowMSA(embed_dims=8, num_heads=2, window_size=5, shift_size=shift).eval()
    torch.nn.init.normal_(attention.w_msa.relative_position_bias_table)
    ours = ExportableWindowAttention(attention)
    for shape in ((10, 15), (5, 9), (3, 4), (12, 5), (1, 11)):
        query = torch.randn(2, shape[0] * shape[1], 8)
        torch.testing.assert_close(ours(query, shape), attention(query, shape), rtol=0, atol=0)


@torch.no_grad()
def test_copy_shares_weights_and_leaves_the_model():
    model = swin_model()
    found, names = exportable_swin(model), [type(module) for module in model.modules()]
    assert [type(module) for module in model.modules()] == names and ShiftWindowMSA in names
    assert not any(isinstance(module, ShiftWindowMSA) for module in found.modules())
    pairs = zip(model.state_dict().items(), found.state_dict().items())
    assert all(name == other and x.data_ptr() == y.data_ptr() for (name, x), (other, y) in pairs)
    assert len(model.state_dict()) == len(found.state_dict())
    image = torch.rand(2, 3, 40, 56)
    for x, y in zip(model.detector.backbone(image), found.detector.backbone(image)):
        torch.testing.assert_close(x, y, rtol=0, atol=0)


def test_other_backbones_are_not_copied():
    model = tiny_inferencer().model
    assert exportable_swin(model) is model


@pytest.fixture(scope='module')
def exported_swin(tmp_path_factory):
    need_onnx()
    model, out = swin_model(), tmp_path_factory.mktemp('swin') / 'model'
    model.data_preprocessor = tiny_inferencer().model.data_preprocessor
    return export_tiny(out, model, sizes=['20x28']), out  # smaller than a window


@pytest.mark.slow
@pytest.mark.parametrize('size', [(48, 64), (60, 44)])
def test_whole_videos(size, exported_swin):
    """With relation, whose geometry turns a difference of 1e-5 pixels into one of 1e-3 of a score in seed 0."""
    from mmrdn_runtime import VideoDetector

    inferencer, out = exported_swin
    frames = clip(4, size, seed=1)
    assert_same_results(list(VideoDetector(out, threads=1).stream(frames)), list(inferencer.stream(frames)))


@pytest.mark.slow
def test_graph_has_standard_operators_only(exported_swin):
    kinds = [node.op_type for node in assert_plain_onnx(exported_swin[1] / 'extract.onnx').node]
    assert kinds.count('NonMaxSuppression') == 1 and kinds.count('RoiAlign') == 2


class FeatureMaps(torch.nn.Module):
    """Backbone and neck."""

    def __init__(self):
        super().__init__()
        self.model = exportable_swin(swin_model())

    def forward(self, image):
        return self.model.feature_maps(image)[0]


@pytest.mark.slow
def test_int8_is_of_convolutions_only():
    """Patch embedding, and two convolutions of each level of the neck, whose one sum is computed in int8 too."""
    need_onnx()
    from mmrdn.export.onnx_graph import to_onnx
    from mmrdn.export.quantization import quantize

    image = torch.randn(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    proto = to_onnx(FeatureMaps(), (image,), (('image',), ('x', 'y')), 'maps.onnx')
    graph = quantize(proto, [dict(image=image.numpy())]).graph
    made = {name: node.op_type for node in graph.node for name in node.output}
    int8 = [
        node.op_type
        for node in graph.node
        if len(node.input) > 1 and {made.get(name) for name in node.input[:2]} == {'DequantizeLinear'}
    ]
    assert sorted(int8) == ['Add'] + ['Conv'] * (1 + 2 * 2)
