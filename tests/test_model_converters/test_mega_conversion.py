# Copyright (c) mmrdn contributors. All rights reserved.
"""Every entry of a MEGA checkpoint is used or named; what is wrong is, too."""

import fractions

import pytest
import torch
from mmengine.config import Config

from helpers import mega
from helpers.configs import MEGA, build
from helpers.mega import FEATURES, FULL_SIZE, PREDICTOR, Layout
from mmrdn.apis.model_loading import load_detector
from mmrdn.model_converters import convert_mega, convert_state_dict
from mmrdn.model_converters.mega_layout import detect_model

ANCHORS = 'rpn.anchor_generator.cell_anchors.0'
TINY = Layout('rdn')
REAL = [
    Layout(kind, depth, depth == 50, **FULL_SIZE)
    for kind in ('single-frame', 'rdn-basic', 'rdn')
    for depth in (50, 101)
]


def empty(layout):
    """The entries of a checkpoint in their real sizes, without numbers."""
    state = {key: torch.empty(shape, device='meta') for key, shape in layout.shapes().items()}
    state[ANCHORS] = torch.tensor(mega.anchors()).float()
    return state


@pytest.mark.parametrize('layout', REAL, ids=lambda x: f'{x.kind}-r{x.depth}')
def test_real_sizes_fill_the_config(layout):
    """The six configs, entry by entry and shape by shape."""
    state = empty(layout)
    found = detect_model(state)
    assert found == (layout.kind, layout.depth, layout.reduced)
    assert found.config == f'rdn_mega/{mega.config_name(layout)[:-3]}'
    model = build(MEGA[found.config.split('/')[1]])
    converted, coverage = convert_state_dict(state, model, found.kind)
    assert {key: value.shape for key, value in converted.items()} == {
        key: value.shape for key, value in model.state_dict().items()
    }
    assert coverage.dropped == {ANCHORS: 'equal to those of the config'}
    assert coverage.used.keys() | coverage.dropped.keys() == state.keys()
    assert len(set(coverage.used.values())) == len(coverage.used)
    # What is not MEGA's: the counters of batch norm, which is frozen.
    made = converted.keys() - set(coverage.used.values())
    assert all(key.endswith('.num_batches_tracked') for key in made)


def test_number_of_entries():
    """Counted by hand: R-50 has 53 convolutions, each with a norm of 4."""
    backbone, rpn, predictor = 53 * 5, 3 * 2 + 1, 2 * 2
    for layout, others in ((REAL[0], 3 * 2), (REAL[2], 3 * 2 + 2 * 8), (REAL[4], 4 * 2 + 4 * 8)):
        assert len(empty(layout)) == backbone + rpn + predictor + others


def file(directory, change=lambda state: None, layout=TINY, **others):
    """A tiny checkpoint and its config."""
    state = mega.state_dict(layout)
    change(state)
    config = mega.write_config(directory / 'tiny.py', layout)
    path = mega.save(directory / 'mega.pth', state, **others)
    return path, str(config)


@pytest.mark.slow
def test_what_is_written(tmp_path):
    """Tensors and plain values, which need no trust, and no dead memory."""
    path, config = file(tmp_path, optimizer=dict(lr=0.1))
    done = convert_mega(path, config)
    assert done.left_out == ('iteration', 'optimizer')
    out = tmp_path / 'ours.pth'
    torch.save(done.checkpoint, out)
    loaded = torch.load(out, weights_only=True)
    assert loaded['meta']['dataset_meta'] == dict(classes=['a', 'b', 'c'])
    assert loaded['meta']['converted_from'] == 'mega.pth'
    assert 'RepeatedFrameWindow' in loaded['meta']['cfg']
    numbers = sum(value.nbytes for value in loaded['state_dict'].values())
    assert numbers < out.stat().st_size < numbers + 300_000
    model, classes = load_detector(Config.fromfile(config), str(out))
    assert classes == ('a', 'b', 'c')
    assert model.neck.advanced_transform


@pytest.mark.slow
def test_rows_by_hand(tmp_path):
    path, config = file(tmp_path)
    state = mega.state_dict(TINY)
    ours = convert_mega(path, config).checkpoint['state_dict']
    head = 'detector.roi_head.bbox_head.'
    given = state[f'{PREDICTOR}cls_score.weight']
    for row, source in enumerate((1, 2, 3, 0)):
        assert torch.equal(ours[f'{head}fc_cls.weight'][row], given[source])
    assert torch.equal(ours[f'{head}fc_reg.bias'], state[f'{PREDICTOR}bbox_pred.bias'][4:16])
    modules = ('basic.0', 'basic.1', 'support_relation', 'reference_relation')
    for k, module in enumerate(modules):
        value = state[f'{FEATURES}Wvs.{k}.weight']
        assert torch.equal(ours[f'neck.{module}.value_proj.weight'], value[..., 0, 0])
        bias = state[f'{FEATURES}Wgs.{k}.bias'].double() + 1e-6
        torch.testing.assert_close(ours[f'neck.{module}.geometry_proj.bias'].double(), bias, atol=1e-7, rtol=0)
    norm = 'layer4.2.bn3'
    assert torch.equal(ours[f'detector.backbone.{norm}.running_var'], state[f'{FEATURES}head.{norm}.running_var'])
    assert torch.equal(ours['neck.support_transform.weight'], state[f'{FEATURES}fcs.2.weight'])


@pytest.mark.slow
def test_report(tmp_path):
    path, config = file(tmp_path, layout=Layout('single-frame'))
    coverage = convert_mega(path, config).coverage
    total = len(coverage.keys)
    assert coverage.lines() == [
        f'dropped {ANCHORS}: equal to those of the config',
        'changed 53, backbone.body.stem.bn1.weight the first: scaled for the '
        'epsilon of our batch norm, theirs adds none',
        f'changed 2, {PREDICTOR}cls_score.weight the first: row 0, the background, goes last',
        f'changed 2, {PREDICTOR}bbox_pred.weight the first: rows 0-3, the box of the background, are dropped',
        f'{total - 1} of {total} entries used, 1 dropped',
    ]
    full = coverage.lines(with_used=True)
    assert len(full) == total + 1
    for line in (
        f'used {FEATURES}fc7.bias as detector.roi_head.bbox_head.shared_fcs.1.bias',
        f'used {PREDICTOR}cls_score.bias as detector.roi_head.bbox_head.fc_cls.bias (row 0, the background, goes last)',
    ):
        assert line in full


@pytest.mark.slow
def test_what_would_be_unpickled_is_refused(tmp_path):
    path, config = file(tmp_path, scheduler=fractions.Fraction(1, 2))
    with pytest.raises(ValueError) as error:
        convert_mega(path, config)
    assert str(error.value) == (
        f'checkpoint {path} holds an object of fractions.Fraction (at scheduler), which only '
        'unpickling could read, and that runs code of whoever wrote the file; '
        'if you trust it, say --trust-checkpoint (in Python: '
        'trust_checkpoint=True)'
    )
    done = convert_mega(path, config, trust_checkpoint=True)
    assert done.left_out == ('iteration', 'scheduler')


@pytest.mark.slow
def test_prefix_of_data_parallel_and_old_format(tmp_path):
    """Names with "module.", in a file as torch wrote it before 1.6, whose top
    level is the state dict."""
    path, config = file(tmp_path)
    wanted = convert_mega(path, config).checkpoint['state_dict']
    state = {f'module.{key}': value for key, value in mega.state_dict(TINY).items()}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    done = convert_mega(path, config)
    assert done.left_out == ()
    for key, value in done.checkpoint['state_dict'].items():
        assert torch.equal(value, wanted[key])


def _drop(key):
    return lambda state: state.pop(key)


def _put(key, value):
    return lambda state: state.update({key: value})


def _no_fc(state):
    for key in [k for k in state if '.fcs.' in k]:
        state.pop(key)


def _nan(state):
    state['rpn.head.conv.bias'][0] = float('nan')


@pytest.mark.slow
@pytest.mark.parametrize(
    'change, message',
    [
        (
            _drop('backbone.body.layer2.1.bn3.running_var'),
            'it lacks backbone.body.layer2.1.bn3.running_var, expected (32,)',
        ),
        (
            _put('backbone.body.stem.bn1.running_var', torch.zeros(4)),
            'backbone.body.stem.bn1.running_var holds a variance of 0, expected more than 0',
        ),
        (_drop(f'{FEATURES}Wvs.3.weight'), f'it lacks {FEATURES}Wvs.3.weight, expected (32, 32, 1, 1)'),
        (
            _put('rpn.head.cls_logits.weight', torch.zeros(9, 64, 1, 1)),
            'rpn.head.cls_logits.weight is (9, 64, 1, 1), expected (12, 64, 1, 1)',
        ),
        (_put(f'{PREDICTOR}bbox_pred.bias', torch.zeros(12)), f'{PREDICTOR}bbox_pred.bias is (12,), expected (16,)'),
        (
            _put(f'{FEATURES}Wqs.4.weight', torch.zeros(1)),
            f'{FEATURES}Wqs.4.weight is unknown: the model of the config has no place for it',
        ),
        (
            _put('rpn.head.conv.bias', 'zero'),
            "model.rpn.head.conv.bias is 'zero', expected a dense tensor of real numbers",
        ),
        (_nan, 'detector.rpn_head.rpn_conv.bias of the checkpoint holds NaN or infinite numbers'),
        (_drop(ANCHORS), f'it lacks {ANCHORS}, expected (12, 4)'),
        (_put(ANCHORS, torch.zeros(15, 4)), f'{ANCHORS} is (15, 4), expected (12, 4)'),
        (
            _put(ANCHORS, torch.zeros(12, 4)),
            f'{ANCHORS}: anchor 0 is [0.0, 0.0, 0.0, 0.0], that of the config [-38.0, -16.0, 53.0, 31.0]',
        ),
        (
            _no_fc,
            "it is not one of MEGA's models single frame, RDN-base and RDN: it "
            f'has neither {FEATURES}fc6.weight nor {FEATURES}fcs.0.weight',
        ),
        (
            _drop('backbone.body.layer3.5.conv1.weight'),
            'backbone.body.layer3 has 5 blocks, expected 6 (ResNet-50) or 23 (ResNet-101)',
        ),
    ],
)
def test_one_line_errors(tmp_path, change, message):
    path, config = file(tmp_path, change)
    with pytest.raises(ValueError) as error:
        convert_mega(path, config)
    assert str(error.value).removeprefix('checkpoint ') == f'{path}: {message}'


@pytest.mark.slow
def test_config_of_another_model(tmp_path):
    """A basic model does not fill a full one, nor the other way round."""
    path, _ = file(tmp_path, layout=Layout('rdn-basic'))
    config = mega.write_config(tmp_path / 'full.py', TINY)
    with pytest.raises(ValueError) as error:
        convert_mega(path, str(config))
    assert str(error.value) == (f'{path}: it lacks {FEATURES}Wqs.2.weight, expected (32, 32)')
    path, _ = file(tmp_path)
    config = mega.write_config(tmp_path / 'basic.py', Layout('rdn-basic'))
    with pytest.raises(ValueError) as error:
        convert_mega(path, str(config))
    assert str(error.value) == (
        f'{path}: {FEATURES}fcs.2.weight is unknown: the model of the config has no place for it'
    )


def test_model_without_a_config(tmp_path):
    path, _ = file(tmp_path, layout=Layout('rdn', 101, True))
    with pytest.raises(ValueError) as error:
        convert_mega(path)
    assert str(error.value) == (
        f'{path}: it is an R-101 rdn model with reduced channels, of which the package has no config: pass --config'
    )
