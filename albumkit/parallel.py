"""Many pictures at once, few pixels at a time, results in order."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

#: Pixels that may be decoded at the same time, by lint as by pack: 256 MB as RGBA.
MOST_PIXELS = 64_000_000

Task = TypeVar("Task")
Result = TypeVar("Result")


class Budget:
    """A bound on what is in flight; one item larger than the whole bound still goes through, alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Wait until so much is free and hold it for the block."""
        amount = min(amount, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()


def in_order(
    tasks: Sequence[Task], run: Callable[[Task], Result], jobs: int
) -> Generator[tuple[Task, Result], None, None]:
    """``run(task)`` for every task in ``jobs`` threads; results come in the tasks' order.

    At most two results a thread are waiting to be taken, so that a slow disk does not fill the memory. An
    exception of ``run`` is raised in its turn; what has not begun by then never does.
    """
    _keep_freed_memory()
    waiting: deque[tuple[Task, Future[Result]]] = deque()
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="albumkit") as pool:
        try:
            for task in tasks:
                waiting.append((task, pool.submit(run, task)))
                if len(waiting) > 2 * max(1, jobs):
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@functools.cache
def _keep_freed_memory() -> None:
    """Have the C library of Linux keep what one picture leaves for the next.

    Otherwise it hands each megabyte back to the system and asks for it again, page by page: an eighth of the
    time of lint for pictures of one megapixel. It learns how large a block is worth keeping from the largest
    one that was freed (mallopt(3), M_MMAP_THRESHOLD; at most 32 MB): this one, of which no page is touched.
    """
    bytes(31 << 20)
