# Table 2: RDN + box linking with relations.
_base_ = './rdn_faster-rcnn_x101-64x4d-dc5_4xb1-60k_imagenetvid.py'
model = dict(recorders=[dict(type='NextFrameRelations')])
val_evaluator = dict(linker=dict(type='BoxLinkingWithRelations'))
test_evaluator = val_evaluator
