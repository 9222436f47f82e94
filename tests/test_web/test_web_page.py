# Copyright (c) mmrdn contributors. All rights reserved.
"""The web page in a browser without a window."""

import base64
import contextlib
import shutil
import threading

import pytest

from helpers.web import FakeInferencer, write_clip

pytest.importorskip('flask', reason='needs the extra "web"')
webdriver = pytest.importorskip('selenium.webdriver', reason='needs selenium (requirements/tests.txt)')

from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

from mmrdn.web.page_server import open_server  # noqa: E402
from mmrdn.web.video_jobs import VideoJobs  # noqa: E402
from mmrdn.web.web_demo import create_app  # noqa: E402

FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--window-size=1000,1200',
)


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    driver = shutil.which('chromedriver')
    chromium = shutil.which('chromium') or shutil.which('google-chrome')
    if not driver or not chromium:
        pytest.skip('needs chromium and chromedriver (Debian: chromium chromium-driver)')
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp('profile')
    for flag in (*FLAGS, f'--user-data-dir={profile}'):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', dict(browser='ALL'))
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.fixture
def page(browser):
    """The page of a detector, opened."""
    jobs = VideoJobs(FakeInferencer(), max_seconds=2.0)
    with contextlib.closing(jobs), open_server(create_app(jobs, max_mb=0.5), port=0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.get_log('browser')  # of an earlier page
        browser.get(f'http://127.0.0.1:{server.port}/')
        yield browser
        browser.get('about:blank')
        server.shutdown()


def find(page, name):
    return page.find_element(By.ID, name)


def upload(page, path, result):
    """Choose a file, wait until the element ``result`` is there."""
    find(page, 'file').send_keys(str(path))
    WebDriverWait(page, 20).until(lambda _: find(page, result).is_displayed())


def test_video_is_shown_with_its_timeline(page, tmp_path):
    upload(page, write_clip(tmp_path / 'clip.mp4', 12), 'result')
    state = WebDriverWait(page, 20).until(
        lambda _: page.execute_script("""
        const video = document.getElementById('video');
        const plot = document.getElementById('plot');
        if (video.readyState < 2 || !plot.naturalWidth) return null;
        return [video.videoWidth, video.videoHeight, video.duration,
                video.error]""")
    )
    assert state[:2] == [96, 64] and state[3] is None  # it decodes
    assert state[2] == pytest.approx(1.2)
    assert find(page, 'summary').text == '14 detections in 12 frames of clip.mp4'
    assert not find(page, 'message').is_displayed()
    assert not find(page, 'work').is_displayed()
    # A click on the middle of the plot goes to the middle of the video: the plot is from 16 to 98
    # percent of the image.
    time, head = page.execute_async_script("""
        const done = arguments[0], plot = document.getElementById('plot');
        const video = document.getElementById('video');
        const box = plot.getBoundingClientRect();
        video.pause();
        video.onseeked = () => done([video.currentTime, (
            parseFloat(document.getElementById('playhead').style.left)
            - plot.offsetLeft) / box.width]);
        document.getElementById('timeline').dispatchEvent(new MouseEvent(
            'click', {clientX: box.left + 0.57 * box.width}))""")
    assert time == pytest.approx(0.6, abs=0.01)
    assert head == pytest.approx(0.57, abs=0.01)
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    home = page.current_url
    assert len(loaded) > 5 and all(a.startswith(home) for a in loaded)
    assert page.get_log('browser') == []  # no error, nothing refused


def drop(page, path):
    """Drop a file onto the page, as a user's mouse would make happen."""
    content = base64.b64encode(path.read_bytes()).decode()
    return page.execute_script(
        """
        const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt());
        const data = new DataTransfer();
        data.items.add(new File([bytes], arguments[1]));
        const area = document.getElementById('drop'), seen = [];
        for (const kind of ['dragover', 'dragleave', 'dragover', 'drop']) {
          const event = new DragEvent(kind, {
            dataTransfer: data, bubbles: true, cancelable: true});
          area.dispatchEvent(event);
          seen.push([area.classList.contains('over'), event.defaultPrevented]);
        }
        return seen""",
        content,
        path.name,
    )


def test_dropped_video_is_shown(page, tmp_path):
    clip = write_clip(tmp_path / 'dropped.mp4', 12)
    shown = drop(page, clip)
    # Marked while a file is over it; the browser never opens the file.
    assert shown == [[True, True], [False, True], [True, True], [False, True]]
    drop(page, write_clip(tmp_path / 'second.mp4', 5))  # busy: not taken
    WebDriverWait(page, 20).until(lambda _: find(page, 'result').is_displayed())
    text = find(page, 'summary').text
    assert text == '14 detections in 12 frames of dropped.mp4'
    posts = page.execute_script("""
        return performance.getEntriesByType('resource').filter(
            e => e.initiatorType === 'xmlhttprequest').length""")
    assert posts == 1
    (tmp_path / 'notes.txt').write_text('just a text\n' * 50)
    drop(page, tmp_path / 'notes.txt')
    WebDriverWait(page, 20).until(lambda _: find(page, 'message').is_displayed())
    assert find(page, 'message').text == ('notes.txt is no video, or so truncated that nothing can be read')


@pytest.mark.parametrize(
    'name, message',
    [
        ('notes.mp4', 'notes.mp4 is no video, or so truncated that nothing can be read'),
        ('long.mp4', 'long.mp4 is longer than 2 seconds'),
        ('large.mp4', 'the file is larger than 0.5 MB'),
    ],
)
def test_message_says_what_is_wrong(page, tmp_path, name, message):
    (tmp_path / 'notes.mp4').write_text('just a text\n' * 50)
    (tmp_path / 'large.mp4').write_bytes(bytes(520000))
    write_clip(tmp_path / 'long.mp4', 25)
    upload(page, tmp_path / name, 'message')
    assert find(page, 'message').text == message
    assert not find(page, 'result').is_displayed()
    upload(page, write_clip(tmp_path / 'clip.mp4', 5), 'result')
    assert not find(page, 'message').is_displayed()
