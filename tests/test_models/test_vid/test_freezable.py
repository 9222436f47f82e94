# Copyright (c) mmrdn contributors. All rights reserved.
import pytest
import torch
from mmtrack.models import BaseVideoDetector
from torch import nn

from helpers.rdn import model_config, tiny_model
from mmrdn.models import RDN, SELSA
from mmrdn.models.vid.freezable_mixin import FreezableMixin


class Detector(FreezableMixin, BaseVideoDetector):
    """A backbone with batch normalization, and a head."""

    def __init__(self, frozen_modules):
        super().__init__()
        self.detector = nn.ModuleDict(
            dict(backbone=nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)), head=nn.Conv2d(2, 1, 1))
        )
        self.freeze_module(frozen_modules)

    def loss(self, inputs, data_samples, **kwargs):
        return self.detector['head'](self.detector['backbone'](inputs)).square().mean()

    def predict(self, inputs, data_samples, **kwargs):
        raise NotImplementedError


@pytest.mark.parametrize('frozen', ['detector.backbone', ('detector.backbone.0', 'detector.backbone.1')])
def test_frozen_parts_stay_as_they_are(frozen):
    """Weights and statistics, in a training that calls ``train`` as MMEngine's loops do."""
    torch.manual_seed(0)
    model = Detector(frozen)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.1)
    for _ in range(2):
        model.train()
        model.loss(torch.randn(2, 1, 3, 3) + 5, None).backward()
        optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {'detector.head.weight', 'detector.head.bias'}
    assert model.detector['head'].training
    assert not model.eval().training


def test_a_part_that_is_not_there():
    with pytest.raises(ValueError) as error:
        Detector(['detector.backbone', 'detector.heads'])
    assert str(error.value) == (
        'frozen_modules: Detector has no part "detector.heads", the nearest are detector.head, detector, '
        'detector.backbone'
    )
    for frozen, got in (('', "''"), (['detector.backbone', ''], "''"), ([None], 'None'), (5, '5')):
        with pytest.raises(ValueError, match=f'frozen_modules: expected paths such as .*, got {got}$'):
            Detector(frozen)


def test_both_detectors_of_ours_freeze():
    assert issubclass(RDN, FreezableMixin) and issubclass(SELSA, FreezableMixin)
    model = tiny_model(dict(model_config(), frozen_modules='detector.rpn_head'))
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {name for name, _ in model.named_parameters() if name.startswith('detector.rpn_head.')}
