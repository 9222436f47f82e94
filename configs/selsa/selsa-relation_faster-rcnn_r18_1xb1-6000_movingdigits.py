# mmtrack's SELSA whose aggregator is RDN's object relation module, appearance
# only, small, from scratch on moving digits.
_base_ = './selsa_faster-rcnn_r18_1xb1-6000_movingdigits.py'
model = dict(detector=dict(roi_head=dict(bbox_head=dict(aggregator=dict(type='mmrdn.ObjectRelationAggregator')))))
