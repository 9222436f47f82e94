# mmtrack's Temporal RoI Align, small, from scratch on moving digits.
_base_ = [
    '../_base_/models/faster-rcnn_r18-s8_mmtrack_movingdigits.py',
    '../_base_/datasets/moving_digits_video.py',
    '../_base_/schedules/movingdigits_6000.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='SELSA',
    detector=dict(
        roi_head=dict(
            type='mmtrack.SelsaRoIHead',
            bbox_roi_extractor=dict(
                type='mmtrack.TemporalRoIAlign', num_most_similar_points=2, num_temporal_attention_blocks=4
            ),
            bbox_head=dict(
                type='mmtrack.SelsaBBoxHead',
                num_shared_fcs=3,
                aggregator=dict(type='mmtrack.SelsaAggregator', in_channels=256, num_attention_blocks=16),
            ),
        )
    ),
)
