# RDN + box linking with relations, on moving digits.
_base_ = './rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
model = dict(recorders=[dict(type='NextFrameRelations')])
val_evaluator = dict(linker=dict(type='BoxLinkingWithRelations'))
test_evaluator = val_evaluator
