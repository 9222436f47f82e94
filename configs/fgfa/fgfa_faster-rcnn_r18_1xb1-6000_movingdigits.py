# mmtrack's FGFA, small, from scratch on moving digits.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_mmtrack_movingdigits.py',
    '../_base_/datasets/moving_digits_video.py',
    '../_base_/schedules/movingdigits_6000.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='FGFA',
    detector=dict(roi_head=dict(type='StandardRoIHead', bbox_head=dict(type='Shared2FCBBoxHead'))),
    # flow_scale_factor: mmtrack's 5 is for pretrained weights
    motion=dict(type='NarrowFlowNet', img_scale_factor=0.5, flow_scale_factor=0.5),
    aggregator=dict(type='EmbedAggregator', num_convs=1, channels=64, kernel_size=3),
)
