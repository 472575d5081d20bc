// Node's child_process, as a worker: KIND SIZE TIMES ARGV..., the stages of a pipeline parted by "|".

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const MESSAGE = "a line of sixty-two bytes, which goes to a child and returns.\n";
const LINE = "2026-11-23T03:53:15.000000Z INFO worker-07 request 00001234 took 1234 us, all ok\n";
const [KIND, SIZE_TEXT, TIMES_TEXT, ...ARGV] = process.argv.slice(2);
const SIZE = Number(SIZE_TEXT);
const now = () => performance.now() / 1000;
const start = () => spawn(ARGV[0], ARGV.slice(1));

function memory(field = "RssAnon") {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(field + ":\\s*(\\d+)").exec(status)[1]) * 1024;
}

async function bulk() {
  const began = now();
  const child = start();
  let got = 0;
  child.stdout.on("data", (piece) => (got += piece.length));
  await once(child, "close");
  return [now() - began, got, 0];
}

function collect(input) {
  const options = { encoding: "buffer", maxBuffer: Infinity };
  return new Promise((resolve, reject) => {
    const child = execFile(ARGV[0], ARGV.slice(1), options, (error, stdout) =>
      error ? reject(error) : resolve(stdout.length),
    );
    child.stdin.end(input);
  });
}

async function capture() {
  const began = now();
  const got = await collect();
  return [now() - began, got, 0];
}

async function feed() {
  const data = Buffer.alloc(SIZE, LINE);
  const began = now();
  const got = await collect(data);
  return [now() - began, got, 0];
}

async function lines() {
  const began = now();
  const child = start();
  const got = [0, 0];
  [child.stdout, child.stderr].forEach((input, source) =>
    createInterface({ input }).on("line", (line) => (got[source] += line.length + 1)),
  );
  await once(child, "close");
  return [now() - began, ...got];
}

async function roundTrip() {
  const child = start();
  let got = 0;
  const began = now();
  for (let i = 0; i < SIZE; i++) {
    child.stdin.write(MESSAGE);
    const [piece] = await once(child.stdout, "data");
    got += piece.length;
  }
  return [now() - began, got, 0];
}

async function pattern() {
  const began = now();
  const child = start();
  let got = 0;
  await new Promise((found) =>
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes("READY")) found();
      else got += line.length + 1;
    }),
  );
  return [now() - began, got, 0];
}

async function atOnce() {
  const began = now();
  const all = await Promise.all(Array.from({ length: SIZE }, () => collect()));
  return [now() - began, all.reduce((sum, got) => sum + got, 0), 0];
}

async function idle() {
  const before = memory();
  const waiting = [];
  for (let i = 0; i < SIZE; i++) {
    const child = start();
    createInterface({ input: child.stdout }).on("line", () => {});
    waiting.push(child);
  }
  await sleep(300);
  return [memory() - before, waiting.length, 0];
}

async function pipeline() {
  const stages = ARGV.join("\0").split("\0|\0").map((stage) => stage.split("\0"));
  const began = now();
  const children = stages.map(([program, ...args]) => spawn(program, args));
  for (let i = 0; i + 1 < children.length; i++) children[i].stdout.pipe(children[i + 1].stdin);
  let text = "";
  const last = children.at(-1);
  last.stdout.on("data", (piece) => (text += piece));
  await once(last, "close");
  return [now() - began, Number(text), 0];
}

const RUN = {
  Bulk: bulk,
  Capture: capture,
  Feed: feed,
  Lines: lines,
  Tagged: lines,
  RoundTrip: roundTrip,
  Pattern: pattern,
  AtOnce: atOnce,
  Idle: idle,
  Pipeline: pipeline,
  Held: capture,
};

let total = [0, 0, 0];
for (let i = 0; i < Number(TIMES_TEXT); i++) {
  const one = await RUN[KIND]();
  total = total.map((sum, at) => sum + one[at]);
}
console.log("ok", ...total, memory("VmHWM"));
// What an idle worker's children hold must not hold it.
process.exit(0);
