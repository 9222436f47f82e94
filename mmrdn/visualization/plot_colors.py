# Copyright (c) mmrdn contributors. All rights reserved.
# Okabe and Ito's colors, distinct for any kind of color vision, without yellow, too light on white.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
