// A day in the life of an application that uses ioredis: smoke.mjs PORT PROTOCOL.

import assert from "node:assert/strict";
import { Redis } from "ioredis";

const port = Number(process.argv[2]);
const protocol = Number(process.argv[3]);
const redis = new Redis({ port, host: "127.0.0.1", protocol });

async function strings() {
  assert.equal(await redis.ping(), "PONG");
  assert.equal(await redis.set("k", "v"), "OK");
  assert.equal(await redis.get("k"), "v");
  assert.equal(await redis.get("nokey"), null);
  assert.equal(await redis.set("k", "w", "EX", 100, "NX"), null);
  assert.equal(await redis.set("k", "w", "EX", 100, "GET"), "v");
  const ttl = await redis.ttl("k");
  assert.ok(ttl > 90 && ttl <= 100);
  const bytes = Buffer.from([0, 255, 13, 10]);
  assert.equal(await redis.set("b", bytes), "OK");
  assert.deepEqual(await redis.getBuffer("b"), bytes);
  assert.equal(await redis.incr("n"), 1);
  assert.equal(await redis.incrby("n", 41), 42);
  assert.equal(await redis.incrbyfloat("f", 0.5), "0.5");
  assert.equal(await redis.append("k", "x"), 2);
  assert.equal(await redis.getrange("k", 0, 0), "w");
  assert.equal(await redis.mset({ m1: "1", m2: "2" }), "OK");
  assert.deepEqual(await redis.mget("m1", "m2", "m3"), ["1", "2", null]);
  assert.equal(await redis.getdel("m1"), "1");
  await assert.rejects(redis.incr("k"), /value is not an integer or out of range/);
}

async function keys() {
  assert.equal(await redis.del("m2", "nokey"), 1);
  assert.equal(await redis.exists("k", "n", "nokey"), 2);
  assert.equal(await redis.type("k"), "string");
  assert.equal(await redis.rename("k", "l"), "OK");
  assert.equal(await redis.expire("l", 10), 1);
  assert.equal(await redis.persist("l"), 1);
  assert.equal(await redis.copy("l", "m"), 1);
  assert.equal(await redis.dbsize(), (await redis.keys("*")).length);
  assert.equal(await redis.flushdb(), "OK");
}

async function collections() {
  assert.equal(await redis.rpush("l", "a", "b", "c"), 3);
  assert.deepEqual(await redis.lrange("l", 0, -1), ["a", "b", "c"]);
  assert.equal(await redis.lmove("l", "l", "LEFT", "RIGHT"), "a");
  assert.deepEqual(await redis.lpop("l", 2), ["b", "c"]);
  assert.equal(await redis.hset("h", { f: 1, g: "two" }), 2);
  assert.deepEqual(await redis.hgetall("h"), { f: "1", g: "two" });
  assert.equal(await redis.sadd("s", 1, 2, 3), 3);
  assert.deepEqual((await redis.smembers("s")).sort(), ["1", "2", "3"]);
  assert.equal(await redis.zadd("z", 1, "a", 2.5, "b"), 2);
  assert.equal(Number(await redis.zscore("z", "b")), 2.5);
  assert.deepEqual(await redis.zrange("z", 0, -1), ["a", "b"]);
  assert.deepEqual(await redis.sort("s", "DESC"), ["3", "2", "1"]);
  const fields = {};
  for await (const page of redis.hscanStream("h")) {
    for (let at = 0; at < page.length; at += 2) fields[page[at]] = page[at + 1];
  }
  assert.deepEqual(fields, { f: "1", g: "two" });
  await assert.rejects(redis.get("z"), /WRONGTYPE/);
  assert.equal(await redis.flushdb(), "OK");
}

async function pipelines() {
  const pipeline = redis.pipeline();
  for (let number = 0; number < 10000; number++) pipeline.set(`key:${number}`, number);
  const replies = await pipeline.exec();
  assert.ok(replies.every(([error, reply]) => error === null && reply === "OK"));
  const values = await Promise.all(
    Array.from({ length: 10000 }, (_, number) => redis.get(`key:${number}`)),
  );
  assert.ok(values.every((value, number) => value === String(number)));
  const found = new Set();
  for await (const page of redis.scanStream({ match: "key:*", count: 500 })) {
    page.forEach((key) => found.add(key));
  }
  assert.equal(found.size, 10000);
  const mixed = await redis.pipeline().incr("key:1").call("NOSUCH").incr("key:1").exec();
  assert.equal(mixed[2][1], 3);
  assert.match(mixed[1][0].message, /unknown command/);
}

async function connections() {
  assert.equal(await redis.client("SETNAME", "smoke"), "OK");
  assert.match(await redis.client("LIST"), /name=smoke/);
  assert.match(await redis.info("server"), /redis_version:/);
  const other = new Redis({ port, host: "127.0.0.1", protocol, db: 4 });
  assert.equal(await other.set("k", "4"), "OK");
  assert.equal(await redis.get("k"), null);
  assert.equal(await other.quit(), "OK");
}

await redis.flushall();
await strings();
await keys();
await collections();
await pipelines();
await connections();
await redis.flushall();
redis.disconnect();
console.log("all is well");
