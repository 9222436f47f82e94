# The backbone ResNeXt-101-64x4d for children of configs with a ResNet-101,
# under a name of its own: MMEngine lets no two bases have the same one.
x101_64x4d = dict(type='ResNeXt', groups=64, base_width=4, init_cfg=dict(checkpoint='open-mmlab://resnext101_64x4d'))
