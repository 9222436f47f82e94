# RDN + box linking with relations, ResNet-50.
_base_ = './rdn_faster-rcnn_r50-dc5_4xb1-60k_imagenetvid.py'
model = dict(recorders=[dict(type='NextFrameRelations')])
val_evaluator = dict(linker=dict(type='BoxLinkingWithRelations'))
test_evaluator = val_evaluator
