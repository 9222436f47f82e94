# Copyright (c) mmrdn contributors. All rights reserved.
"""Names and WordNet ids of the classes that the converters know."""

# The 30 classes of ImageNet VID in the order of their labels.
IMAGENET_VID: dict[str, str] = {
    'airplane': 'n02691156',
    'antelope': 'n02419796',
    'bear': 'n02131653',
    'bicycle': 'n02834778',
    'bird': 'n01503061',
    'bus': 'n02924116',
    'car': 'n02958343',
    'cattle': 'n02402425',
    'dog': 'n02084071',
    'domestic_cat': 'n02121808',
    'elephant': 'n02503517',
    'fox': 'n02118333',
    'giant_panda': 'n02510455',
    'hamster': 'n02342885',
    'horse': 'n02374451',
    'lion': 'n02129165',
    'lizard': 'n01674464',
    'monkey': 'n02484322',
    'motorcycle': 'n03790512',
    'rabbit': 'n02324045',
    'red_panda': 'n02509815',
    'sheep': 'n02411705',
    'snake': 'n01726692',
    'squirrel': 'n02355227',
    'tiger': 'n02129604',
    'train': 'n04468005',
    'turtle': 'n01662784',
    'watercraft': 'n04530566',
    'whale': 'n02062744',
    'zebra': 'n02391049',
}

# The digits have no WordNet ids; these only look like them.
MOVING_DIGITS: dict[str, str] = {
    name: f'n{digit:08d}'
    for digit, name in enumerate(('zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'))
}

CLASS_SETS: dict[str, dict[str, str]] = dict(imagenet_vid=IMAGENET_VID, moving_digits=MOVING_DIGITS)


def get_class_set(name: str) -> dict[str, str]:
    """Return a set of classes.

    Args:
        name (str): 'imagenet_vid' or 'moving_digits'.

    Returns:
        dict[str, str]: WordNet id by class name, in the order of the labels.

    Raises:
        ValueError: There is no such set.
    """
    if name not in CLASS_SETS:
        raise ValueError(f'classes must be among {sorted(CLASS_SETS)}, got {name!r}')
    return CLASS_SETS[name]
