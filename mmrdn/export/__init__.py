# Copyright (c) mmrdn contributors. All rights reserved.
