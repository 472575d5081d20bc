"""asyncio, as a worker: KIND SIZE TIMES ARGV..., the stages of a pipeline parted by "|"."""

import asyncio
import os
import sys
import time

PIPE = asyncio.subprocess.PIPE
BUFFER = 64 << 10
MESSAGE = b"a line of sixty-two bytes, which goes to a child and returns.\n"
LINE = b"2026-11-23T03:53:15.000000Z INFO worker-07 request 00001234 took 1234 us, all ok\n"
KIND, SIZE, TIMES = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ARGV = sys.argv[4:]
now = time.perf_counter


def spawn(**more):
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
    return asyncio.create_subprocess_exec(*ARGV, **{**pipes, **more}, limit=BUFFER)


def memory(field="RssAnon:"):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) * 1024


async def bulk():
    began = now()
    child = await spawn()
    got = 0
    while piece := await child.stdout.read(BUFFER):
        got += len(piece)
    await child.wait()
    return now() - began, got, 0


async def capture():
    began = now()
    child = await spawn(stdin=asyncio.subprocess.DEVNULL)
    stdout, _ = await child.communicate()
    return now() - began, len(stdout), 0


async def feed():
    data = (LINE * (SIZE // len(LINE) + 1))[:SIZE]
    began = now()
    child = await spawn()
    stdout, _ = await child.communicate(data)
    return now() - began, len(stdout), 0


async def lines():
    async def count(stream):
        got = 0
        async for line in stream:
            got += len(line)
        return got

    began = now()
    child = await spawn()
    stdout, stderr = await asyncio.gather(count(child.stdout), count(child.stderr))
    await child.wait()
    return now() - began, stdout, stderr


async def round_trip():
    child = await spawn()
    got = 0
    began = now()
    for _ in range(SIZE):
        child.stdin.write(MESSAGE)
        await child.stdin.drain()
        got += len(await child.stdout.read(BUFFER))
    return now() - began, got, 0


async def pattern():
    began = now()
    child = await spawn()
    got = 0
    async for line in child.stdout:
        if b"READY" in line:
            break
        got += len(line)
    return now() - began, got, 0


async def at_once():
    began = now()
    done = await asyncio.gather(*(capture() for _ in range(SIZE)))
    return now() - began, sum(one[1] for one in done), 0


async def idle():
    before = memory()
    waiting = []
    for _ in range(SIZE):
        child = await spawn()
        waiting.append((child, asyncio.create_task(child.stdout.readline())))
    await asyncio.sleep(0.3)
    return memory() - before, len(waiting), 0


async def pipeline():
    stages = [[]]
    for arg in ARGV:
        stages.append([]) if arg == "|" else stages[-1].append(arg)
    began = now()
    children, stdin = [], asyncio.subprocess.DEVNULL
    for at, stage in enumerate(stages):
        if at + 1 == len(stages):
            read, write = None, PIPE
        else:
            read, write = os.pipe()
        child = await asyncio.create_subprocess_exec(*stage, stdin=stdin, stdout=write)
        for end in (stdin, write):
            if end >= 0:
                os.close(end)
        children.append(child)
        stdin = read
    stdout, _ = await children[-1].communicate()
    for child in children:
        await child.wait()
    return now() - began, int(stdout), 0


RUN = {
    "Bulk": bulk,
    "Capture": capture,
    "Feed": feed,
    "Lines": lines,
    "Tagged": lines,
    "RoundTrip": round_trip,
    "Pattern": pattern,
    "AtOnce": at_once,
    "Idle": idle,
    "Pipeline": pipeline,
    "Held": capture,
}


async def main():
    total = [0, 0, 0]
    for _ in range(TIMES):
        total = [a + b for a, b in zip(total, await RUN[KIND]())]
    print("ok", *total, memory("VmHWM:"), flush=True)
    # What an idle worker's children hold must not hold it.
    os._exit(0)


asyncio.run(main())
