# RDN with mmtrack's Temporal RoI Align as RoI extractor, on moving digits.
_base_ = './rdn_faster-rcnn_r18_1xb4-1500_movingdigits.py'
model = dict(
    type='TemporalRDN',
    detector=dict(
        roi_head=dict(
            type='mmrdn.TemporalRDNRoIHead',
            num_maps=2,  # frames before it that a frame sees in testing
            bbox_roi_extractor=dict(
                type='mmtrack.TemporalRoIAlign', num_most_similar_points=2, num_temporal_attention_blocks=4
            ),
        )
    ),
)
