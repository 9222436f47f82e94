# Copyright (c) mmrdn contributors. All rights reserved.
import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from mmrdn.engine.distributed.file_locks import FileLocks

# Another process locks one byte of the file until it ends.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1], 'a+b')
fcntl.lockf(file, int(sys.argv[2]), 1, int(sys.argv[3]))
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path):
    locks = FileLocks(tmp_path / 'locks')
    yield locks
    locks.close()


@pytest.fixture
def hold(locks):
    """Start a process that holds the lock of a name."""
    started = []

    def start(name, kind):
        byte = int(hashlib.sha256(name.encode()).hexdigest()[:14], 16)
        words = [sys.executable, '-c', HOLDER, locks.path, kind, byte]
        process = subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b'held\n'
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_lock_is_anothers_until_that_one_is_killed(locks, hold):
    holder = hold('a', fcntl.LOCK_EX)
    assert not locks.take('a')
    assert locks.take('b')
    holder.kill()
    holder.wait()
    assert locks.take('a')
    assert locks.path.read_bytes() == b''


def test_who_comes_first_begins(locks, hold):
    begun = []
    member = hold('run', fcntl.LOCK_SH)
    locks.join('run', lambda: begun.append(1))
    assert begun == []
    member.kill()
    member.wait()
    locks.join('run', lambda: begun.append(2))
    assert begun == [2]
    hold('run', fcntl.LOCK_SH)  # others may join now: this returns


@pytest.mark.parametrize('end', ['killed', 'raises'])
def test_who_waits_for_one_that_fails_to_begin_begins(locks, end):
    told, tell = os.pipe()
    other = os.fork()
    if other == 0:

        def fail():
            os.write(tell, b'.')
            signal.sigwait([signal.SIGUSR1])
            raise ValueError

        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        try:
            locks.join('run', fail)
        except ValueError:
            locks.close()
            signal.pause()
        finally:
            os._exit(1)

    begun = []
    try:
        assert os.read(told, 1) == b'.'
        sent = signal.SIGKILL if end == 'killed' else signal.SIGUSR1
        threading.Timer(0.5, lambda: (begun.append('other failed'), os.kill(other, sent))).start()
        locks.join('run', lambda: begun.append('this'))
        assert begun == ['other failed', 'this']
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
        os.close(told)
        os.close(tell)


def test_a_file_system_without_locks(locks, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'lockf', refuse)
    with pytest.raises(OSError, match='locks: this file system has no locks .No locks available.; choose'):
        locks.take('a')
