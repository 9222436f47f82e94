# Table 3, row 1: Faster R-CNN on single frames.
_base_ = [
    '../_base_/models/faster-rcnn_r101-dc5_imagenetvid.py',
    '../_base_/datasets/imagenet_vid.py',
    '../_base_/schedules/sgd_120k.py',
    '../_base_/default_runtime.py',
]

# No support frames.
_base_.train_dataloader.dataset.datasets[0].ref_img_sampler.update(num_ref_imgs=0, frame_range=0)
_base_.train_dataloader.dataset.datasets[1].ref_img_sampler.update(num_ref_imgs=0)
