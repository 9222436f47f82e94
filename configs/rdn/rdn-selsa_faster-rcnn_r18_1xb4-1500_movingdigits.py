# RDN whose relation is mmtrack's SelsaAggregator, on moving digits: stages,
# sampling and streaming of RDN, appearance only.
_base_ = './rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
model = dict(neck=dict(relation=dict(type='SelsaRelation')))
