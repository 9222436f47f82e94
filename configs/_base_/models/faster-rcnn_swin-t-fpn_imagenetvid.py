# Single-frame Faster R-CNN on Swin-T (Liu et al., ICCV 2021) with FPN.
_base_ = './faster-rcnn_r50-fpn_imagenetvid.py'
pretrained = 'https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_tiny_patch4_window7_224.pth'
model = dict(
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='SwinTransformer',
            embed_dims=96,
            depths=(2, 2, 6, 2),
            num_heads=(3, 6, 12, 24),
            window_size=7,  # positions of a map
            drop_path_rate=0.2,
            convert_weights=True,  # from the names of the original
            init_cfg=dict(type='Pretrained', checkpoint=pretrained),
        ),
        neck=dict(in_channels=[96, 192, 384, 768]),
    )
)
