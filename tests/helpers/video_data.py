# Copyright (c) mmrdn contributors. All rights reserved.
"""A COCO-VID file of three short videos."""

LENGTHS = (1, 3, 40)


def video_data():
    """Three videos of 1, 3 and 40 frames; a cat in every frame."""
    data = dict(categories=[dict(id=7, name='dog'), dict(id=3, name='cat')], videos=[], images=[], annotations=[])
    for video_id, length in enumerate(LENGTHS, 1):
        data['videos'].append(dict(id=video_id, name=f'v{video_id}'))
        for frame_id in range(length):
            image_id = len(data['images']) + 1
            data['images'].append(
                dict(
                    id=image_id,
                    file_name=f'v{video_id}/{frame_id:06d}.JPEG',
                    height=60,
                    width=100,
                    video_id=video_id,
                    frame_id=frame_id,
                )
            )
            data['annotations'].append(
                dict(
                    id=image_id,
                    image_id=image_id,
                    video_id=video_id,
                    category_id=3,
                    instance_id=video_id,
                    bbox=[1, 2, 30, 40],
                    area=1200,
                    iscrowd=False,
                )
            )
    return data
