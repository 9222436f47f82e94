# Copyright (c) mmrdn contributors. All rights reserved.
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar('Item')


def prefetch(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """Run an iterator in a background thread, a few items ahead.

    What it raises is raised here. When this generator is closed the thread ends after the item that
    it is at, and closes the iterator.

    Args:
        items (Iterable): Read by the thread alone.
        depth (int): Items that may wait.

    Yields:
        Any: The items in order.
    """
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    stop = threading.Event()

    def put(kind: str, value: Any = None) -> None:
        while not stop.is_set():
            try:
                return ready.put((kind, value), timeout=0.1)
            except queue.Full:
                pass

    def work() -> None:
        try:
            for item in items:
                put('item', item)
                if stop.is_set():
                    break
            put('end')
        except BaseException as error:
            put('error', error)
        finally:
            if hasattr(items, 'close'):
                items.close()

    thread = threading.Thread(target=work, name='prefetch', daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == 'error':
                raise value
            if kind == 'end':
                return
            yield value
    finally:
        stop.set()
        # A source that waits for a camera or a network may take its time.
        thread.join(timeout=1)
