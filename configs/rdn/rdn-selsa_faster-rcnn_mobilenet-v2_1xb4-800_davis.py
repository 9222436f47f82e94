# RDN on DAVIS whose relation is mmtrack's SelsaAggregator: appearance only.
_base_ = './rdn_faster-rcnn_mobilenet-v2_1xb4-800_davis.py'
model = dict(neck=dict(relation=dict(type='SelsaRelation')))
