/** The page: puts what the proxy sends where it is shown. */

import { Chart } from "./chart.js";
import { CHARTS } from "./charts.js";
import { byId, setText } from "./elements.js";
import { HotKeyList } from "./hot_keys.js";
import { Live } from "./live.js";
import { LookUp } from "./look_up.js";
import { bytes, count, duration, percent, perSecond, timeOfDay } from "./numbers.js";
import { Store } from "./store.js";
import { showSettings, Totals } from "./tables.js";

const store = new Store();
const charts = CHARTS.map((definition) => new Chart(byId("charts"), definition, store));
const totals = new Totals(JSON.parse(byId("texts").textContent ?? ""));
const lookUp = new LookUp();
const hotKeys = new HotKeyList((key) => lookUp.show(key));

/** @param {any} snapshot */
function show(snapshot) {
  const { figures, held, redis } = snapshot;
  showStates(redis);
  setText(byId("hit-rate"), percent(figures.hitPercent));
  setText(byId("requests"), perSecond(sum(figures.httpPerSecond, figures.respPerSecond)));
  setText(byId("doors"), `HTTP ${perSecond(figures.httpPerSecond)}, RESP ${perSecond(figures.respPerSecond)}`);
  setText(byId("redis-reads"), perSecond(figures.redisReadsPerSecond));
  setText(byId("round-trips"), `in ${perSecond(figures.roundTripsPerSecond)} round trips`);
  setText(byId("hit-time"), duration(figures.hitP99Ms));
  setText(byId("fill-time"), `99 % of fills within ${duration(figures.fillP99Ms)}`);
  setText(byId("items"), count(held.items));
  setText(byId("room"), `of ${count(held.itemsMax)}; ${bytes(held.bytes)} of ${bytes(held.bytesMax)}`);
  setText(byId("about"), about(snapshot));
  for (const chart of charts) chart.show(figures, held);
  hotKeys.show(snapshot.hotKeys, snapshot.sampledOneIn);
  totals.show(snapshot.totals);
  document.title = `${figures.hitPercent === null ? "" : `${percent(figures.hitPercent)} hits – `}redis-proxy`;
}

/** @param {any} redis */
function showStates({ state, coherence, untrackedSeconds }) {
  const texts = { up: "Redis is up", connecting: "Connecting to Redis", down: "Redis is down" };
  showState("redis-state", { isGood: state === "up", text: texts[/** @type {keyof texts} */ (state)] });
  const isTracked = coherence === "tracking" && state === "up";
  const untracked = untrackedSeconds > 0 ? `, ${duration(untrackedSeconds * 1000)} without since the start` : "";
  showState("coherence-state", {
    isGood: isTracked,
    text: isTracked ? "Kept true by tracking" : coherence === "ttl" ? "Kept by time alone" : "Tracking is lost",
  });
  byId("coherence-state").title = `Tracking: Redis tells what changes${untracked}`;
}

/** @type {(id: string, state: { isGood: boolean, text: string }) => void} */
function showState(id, { isGood, text }) {
  byId(id).className = isGood ? "good" : "bad";
  setText(byId(id), text);
}

/** @param {any} snapshot */
function about({ version, deno, uptimeSeconds, work }) {
  return `redis-proxy ${version} on Deno ${deno}, up for ${duration(uptimeSeconds * 1000)}. ` +
    `${count(work.clients)} of ${count(work.clientsMax)} clients, ${count(work.httpConnections)} HTTP connections, ` +
    `${count(work.flights)} reads of Redis under way.`;
}

/** @type {(a: number | null, b: number | null) => number | null} */
function sum(a, b) {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0);
}

const live = new Live({
  onAll(all) {
    store.replace(all.history);
    showSettings(all.settings);
    show(all);
  },
  onSecond(second) {
    store.add(second.latest);
    show(second);
  },
  onState(state) {
    const last = store.time.at(-1);
    const since = last === undefined ? "" : `: figures of ${timeOfDay(last)}`;
    const texts = {
      connecting: "Connecting",
      live: "Live",
      lost: `Not connected, trying again${since}`,
      paused: `Paused${since}`,
    };
    byId("live").className = state;
    setText(byId("live"), texts[state]);
  },
});

byId("pause").addEventListener("click", ({ currentTarget }) => {
  const button = /** @type {HTMLElement} */ (currentTarget);
  const isPaused = button.textContent === "Pause";
  button.textContent = isPaused ? "Go on" : "Pause";
  live.isPaused = isPaused;
});
