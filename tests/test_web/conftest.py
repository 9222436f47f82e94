# Copyright (c) mmrdn contributors. All rights reserved.
import contextlib

import pytest

from helpers.web import FakeInferencer


@pytest.fixture
def jobs():
    from mmrdn.web.video_jobs import VideoJobs  # after the tests said whether there is flask

    with contextlib.closing(VideoJobs(FakeInferencer(), 0.4, 2.0)) as jobs:
        yield jobs


@pytest.fixture
def client(jobs):
    from mmrdn.web.web_demo import create_app

    return create_app(jobs, max_mb=0.5).test_client()
