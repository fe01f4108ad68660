"""Starts a Python program under a resource monitor.

The language host runs this file with the interpreter of the program's virtual environment. It
hands the addresses and the configuration to the SDK, runs the program inside the root stack, and
tells the host by its exit code how that went: 0 for well, 32 for "failed, and the user has been
told why", 33 for "the SDK is missing", anything else for "failed".
"""

import argparse
import asyncio
import gc
import inspect
import logging
import os
import runpy
import sys
import threading
import time
import traceback
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

FAILED_AND_SAID_SO = 32
SDK_MISSING = 33
INTERRUPTED = 130

try:
    import pulumi
    import pulumi.runtime
except ImportError:
    traceback.print_exc()
    sys.exit(SDK_MISSING)


class GrowingPool(ThreadPoolExecutor):
    """A thread pool that starts small and grows while its threads are stuck in slow calls.

    Each registration blocks a thread until the engine answers. Where the engine answers at once a
    few threads are enough, and more only fight for the interpreter lock. Where creates take long,
    every registration needs a thread of its own, up to the limit.
    """

    START = 4
    PATIENCE = 0.01

    def __init__(self, limit):
        super().__init__(max_workers=limit)
        self._limit = limit
        self._waiting = deque()
        self._changed = threading.Condition(threading.Lock())
        self._threads_running = 0
        self._threads_idle = 0
        self._taken = 0
        self._closed = False
        self._watching = False

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._waiting.append((future, fn, args, kwargs))
            if len(self._waiting) <= self._threads_idle:
                self._changed.notify()
            elif self._threads_running < min(self.START, self._limit):
                self._add_thread()
            elif not self._watching and self._threads_running < self._limit:
                self._watching = True
                threading.Thread(target=self._watch, daemon=True).start()
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        with self._changed:
            self._closed = True
            if cancel_futures:
                while self._waiting:
                    self._waiting.popleft()[0].cancel()
            self._changed.notify_all()
            while wait and self._threads_running:
                self._changed.wait()

    def _add_thread(self):
        self._threads_running += 1
        threading.Thread(target=self._work, daemon=True).start()

    def _watch(self):
        """Adds threads as long as work waits and none of it gets taken."""
        while True:
            with self._changed:
                seen = self._taken
            time.sleep(self.PATIENCE)
            with self._changed:
                if not self._waiting or self._closed or self._threads_running >= self._limit:
                    self._watching = False
                    return
                if self._taken == seen:
                    room = self._limit - self._threads_running
                    for _ in range(min(room, len(self._waiting), self._threads_running)):
                        self._add_thread()

    def _work(self):
        while True:
            with self._changed:
                self._threads_idle += 1
                while not self._waiting and not self._closed:
                    self._changed.wait()
                self._threads_idle -= 1
                if not self._waiting:
                    self._threads_running -= 1
                    self._changed.notify_all()
                    return
                self._taken += 1
                future, fn, args, kwargs = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: B036 - it belongs to whoever awaits the future
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, fn, args, kwargs


def parse_arguments():
    parser = argparse.ArgumentParser(description="Run a program under a resource monitor")
    for name in ("monitor", "engine", "organization", "project", "root_directory", "stack", "pwd"):
        parser.add_argument("--" + name)
    parser.add_argument("--dry_run", default="false")
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--tracing")
    parser.add_argument("--debug_messages", default="false")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs="*")
    return parser.parse_args()


def load_config():
    values = pulumi.runtime.get_config_env()
    if hasattr(pulumi.runtime, "set_all_config"):
        pulumi.runtime.set_all_config(values, pulumi.runtime.get_config_secret_keys_env())
    else:
        for key, value in values.items():
            pulumi.runtime.set_config(key, value)


def settings_from(args):
    wanted = {
        "monitor": args.monitor,
        "engine": args.engine,
        "organization": args.organization,
        "project": args.project,
        "root_directory": args.root_directory,
        "stack": args.stack,
        "parallel": args.parallel,
        "dry_run": args.dry_run == "true",
    }
    known = inspect.signature(pulumi.runtime.Settings.__init__).parameters
    return pulumi.runtime.Settings(**{k: v for k, v in wanted.items() if k in known})


def silence_debug_messages():
    """Keeps the SDK from sending each of its debug messages, which nobody would see, in a blocking
    call of its own."""

    def debug(msg, resource=None, stream_id=None, ephemeral=None):
        del msg, resource, stream_id, ephemeral

    pulumi.log.debug = debug


def collect_less_often():
    """Programs make many objects that live to their end: looking through them again and again for
    garbage finds little."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def program_trace(error, program):
    """The trace of an error, without the frames of whoever called the program."""
    whole = traceback.TracebackException.from_exception(error)
    prefix = program if os.path.isfile(program) else os.path.join(program, "")
    for position, frame in enumerate(whole.stack):
        if frame.filename[:1] != "<" and os.path.abspath(frame.filename).startswith(prefix):
            whole.stack = traceback.StackSummary.from_list(whole.stack[position:])
            break
    return "".join(whole.format())


def run_program(path):
    absolute = os.path.abspath(path)
    if os.path.isdir(absolute) and not os.path.isfile(os.path.join(absolute, "__main__.py")):
        pulumi.log.error(
            "there is no `__main__.py` in " + absolute + "; "
            "add it, or name the file to start as `main` in the project file"
        )
        sys.exit(FAILED_AND_SAID_SO)
    runpy.run_path(path, run_name="__main__")


def main():
    args = parse_arguments()
    load_config()
    settings = settings_from(args)
    pulumi.runtime.configure(settings)
    if args.debug_messages != "true":
        silence_debug_messages()
    collect_less_often()

    sys.argv = [args.program] + args.arguments
    if args.pwd:
        os.chdir(args.pwd)
    # What Python put first is the folder of this file; the program's own is of more use to it.
    sys.path[0] = os.getcwd()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pool = GrowingPool(4 * max(args.parallel, 1))
    loop.set_default_executor(pool)
    # When a program fails, promises stay unawaited; asyncio's complaints about them help nobody.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    code = 1
    program = os.path.abspath(args.program)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: run_program(args.program)))
        code = 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except Exception as error:  # noqa: BLE001 - whatever the program raised is reported
        # Clients look for the first words of this text.
        pulumi.log.error("Program failed with an unhandled exception:\n" + program_trace(error, program))
        code = FAILED_AND_SAID_SO
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        pool.shutdown(wait=code != INTERRUPTED, cancel_futures=code == INTERRUPTED)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    main()
