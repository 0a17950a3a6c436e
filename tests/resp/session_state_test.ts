/** When the cache may answer for a session, and when Redis alone may. */

import assert from "node:assert/strict";
import { SessionState, type StateChange } from "../../lib/resp/session_state.ts";

const HOME = 2;

/** A change and how Redis replies to it: `+` or `-`. */
type Step = readonly [change: StateChange, mark: "+" | "-" | "*" | "_"];

function after(...steps: Step[]): SessionState {
  const state = new SessionState(HOME);
  for (const [change, mark] of steps) state.replied(change, mark.charCodeAt(0));
  return state;
}

const MULTI: Step = [{ kind: "multi" }, "+"];
const EXEC: Step = [{ kind: "exec" }, "*"];
const WATCH: Step = [{ kind: "watch" }, "+"];

function select(database: number): Step {
  return [{ kind: "select", database }, "+"];
}

const PLAIN: Record<string, Step[]> = {
  "a new session": [],
  "MULTI, EXEC": [MULTI, EXEC],
  "MULTI, EXEC that was aborted": [MULTI, [{ kind: "exec" }, "-"]],
  "MULTI, EXEC that found a watched key changed": [WATCH, MULTI, [{ kind: "exec" }, "_"]],
  "MULTI, DISCARD": [MULTI, [{ kind: "discard" }, "+"]],
  "MULTI refused": [[{ kind: "multi" }, "-"]],
  "WATCH, UNWATCH": [WATCH, [{ kind: "unwatch" }, "+"]],
  "WATCH, MULTI, DISCARD": [WATCH, MULTI, [{ kind: "discard" }, "+"]],
  "WATCH refused": [[{ kind: "watch" }, "-"]],
  "SELECT of the home database": [select(HOME)],
  "SELECT away and back": [select(0), select(HOME)],
  "SELECT refused": [[{ kind: "select", database: 99 }, "-"]],
  "AUTH as ourselves": [[{ kind: "authenticate", isOurs: true }, "+"]],
  "AUTH refused": [[{ kind: "authenticate", isOurs: false }, "-"]],
  "CLIENT TRACKING refused": [[{ kind: "foreign" }, "-"]],
};

const NOT_PLAIN: Record<string, Step[]> = {
  "MULTI": [MULTI],
  "MULTI within MULTI": [MULTI, [{ kind: "multi" }, "-"]],
  "MULTI, DISCARD refused": [MULTI, [{ kind: "discard" }, "-"]],
  "WATCH": [WATCH],
  "WATCH, EXEC without MULTI": [WATCH, [{ kind: "exec" }, "-"]],
  "WATCH, UNWATCH refused": [WATCH, [{ kind: "unwatch" }, "-"]],
  "another database": [select(0)],
  "SELECT in a transaction": [MULTI, select(HOME), EXEC],
  "AUTH as somebody else": [[{ kind: "authenticate", isOurs: false }, "+"]],
  "AUTH in a transaction": [MULTI, [{ kind: "authenticate", isOurs: true }, "+"], EXEC],
  "CLIENT TRACKING": [[{ kind: "foreign" }, "+"]],
};

for (const [name, steps] of Object.entries(PLAIN)) {
  Deno.test(`plain: ${name}`, () => assert.equal(after(...steps).isPlain, true));
}

for (const [name, steps] of Object.entries(NOT_PLAIN)) {
  Deno.test(`not plain: ${name}`, () => assert.equal(after(...steps).isPlain, false));
}

Deno.test("a queued change of all keys happens at EXEC, and not at DISCARD", () => {
  const star = "*".charCodeAt(0);
  const state = after(MULTI);
  assert.equal(state.isInTransaction, true);
  state.queueChangeOfAll();
  assert.equal(state.replied({ kind: "exec" }, star), true);
  assert.equal(state.isInTransaction, false);
  assert.equal(state.replied({ kind: "exec" }, star), false);

  const discarded = after(MULTI);
  discarded.queueChangeOfAll();
  discarded.replied({ kind: "discard" }, "+".charCodeAt(0));
  discarded.replied({ kind: "multi" }, "+".charCodeAt(0));
  assert.equal(discarded.replied({ kind: "exec" }, star), false);
});
