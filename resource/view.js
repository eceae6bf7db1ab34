// The page of `imu-emg view`: asks for what is new, twenty times a second, and draws it.
"use strict";

const PERIOD_MS = 50, FRAME_MS = 30, TEXT_PERIOD_MS = 200, RETRY_MS = 1000, TIMEOUT_MS = 5000, KEPT_S = 32, GAP_S = 0.25;
const TOPS = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128]; // of the axis of activation
const MEANINGS = { // of the statuses, in the order of their values
  OK: ["good", "every sensor contributes"], WARMING_UP: ["doubted", "the first seconds: use with care"],
  DEGRADED: ["doubted", "without some sensors"], STALE: ["bad", "no estimate"],
  OUT_OF_DISTRIBUTION: ["bad", "motion unlike the training data: do not rely on it"],
};
const STATUSES = Object.keys(MEANINGS);
const SHAPES = { // of a mark, around 0, 0
  good: ["circle", { r: 6.2 }], doubted: ["polygon", { points: "0,-8 8,0 0,8 -8,0" }],
  bad: ["rect", { x: -6, y: -6, width: 12, height: 12 }], unknown: ["circle", { r: 6.2 }],
};
const byId = (id) => document.getElementById(id);
const shown = {}; // what texts and lists show already
let curves = { estimates: [], emg: [] }, state = {}, epoch = 0, number = 0;
let edge = 0, edgeAt = 0, drawnAt = 0, textAt = 0, held = null, colours = {};

async function poll() {
  let news = null;
  try {
    const answer = await fetch(`new?epoch=${epoch}&number=${number}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    news = answer.ok ? await answer.json() : null;
  } catch { /* said below */ }
  if (news) take(news);
  const now = performance.now();
  if (!news || now - textAt > TEXT_PERIOD_MS) {
    textAt = now;
    showTexts(!news);
  }
  setTimeout(poll, news ? PERIOD_MS : RETRY_MS);
}

function take(news) {
  if (news.epoch !== epoch) curves = { estimates: [], emg: [] };
  ({ epoch, number } = news);
  for (const name of ["estimates", "emg"]) {
    curves[name].push(...news[name]);
    const first = curves[name].findIndex((row) => row[0] >= news.edge - KEPT_S);
    curves[name].splice(0, first < 0 ? curves[name].length : first);
  }
  [state, edge, edgeAt] = [news, news.edge, performance.now()];
}

// texts, sensors, calibration

function say(id, text) {
  if (shown[id] !== text) byId(id).textContent = shown[id] = text;
}

function changed(key, content) {
  const text = JSON.stringify(content);
  return shown[key] === text ? false : ((shown[key] = text), true);
}

const plain = (name) => name.replaceAll("_", " ");
const fixed = (value, digits) => (value === null || value === undefined ? "–" : value.toFixed(digits));

function showTexts(isLost) {
  const view = state.view, isNode = state.kind === "node";
  const alarm = isLost ? "imu-emg view does not answer. If it has ended, start it again and open the new address."
    : isNode && !view ? "No estimator node is seen yet. Start it: ros2 launch imu_emg_estimator estimator.launch.py, or python -m imu_emg_estimator.ros.node"
    : isNode && state.silent ? `The node is silent: ${view.cause || "nothing comes"}.` : "";
  byId("alert").hidden = !alarm;
  say("alert", alarm);
  const word = view && !isLost ? view.status : "no estimate yet";
  const [mood, meaning] = MEANINGS[word] || ["", ""];
  say("word", word);
  byId("word").className = mood;
  say("cause", view && !isLost ? (alarm ? "" : view.cause || meaning) : "");
  document.title = `${word} – imu-emg`;
  if (!view) return;
  const total = Object.values(view.seen).reduce((sum, count) => sum + count, 0);
  const shares = Object.entries(view.seen).map(([name, count]) => `${name} ${Math.round((100 * count) / total)}\u00a0%`);
  const age = view.age === null ? "" : `, age ${fixed(1e3 * view.age, 0)} ms`;
  say("facts", `${view.title}; ${fixed(view.rate, 0)} estimates a second${age}; so far ${shares.join(", ")}`);
  showCharts(view);
  showSensors(view.sensors, isLost || (isNode && state.silent));
  byId("emg_key").hidden = !state.rescaled;
  const isRescaled = state.rescaled && state.rescaled.some(Boolean);
  say("emg_note", state.emg_note || (isRescaled ? "The EMG is drawn in the strength of the estimate: compare the shapes." : ""));
  byId("player").hidden = isNode;
  byId("calibration").hidden = !isNode;
  if (isNode) showCalibration(state.calibration || { state: "unknown" }, isLost || state.silent);
  else showPlayer();
}

function showPlayer() {
  say("pause", state.paused ? "Go on" : "Pause");
  byId("pause").disabled = state.ended;
  say("position", state.ended ? "end of the bag" : `${fixed(edge, 0)} s`);
}

function showCalibration(now, isSilent) {
  const isRunning = now.state === "running" && !isSilent;
  say("in_use", isSilent ? "" : now.calibration_id ? `In use: ${now.calibration_id}` : "In use: the base model, no calibration");
  byId("running").hidden = !isRunning;
  byId("cancel").disabled = !isRunning;
  for (const id of ["calibrate", "undo", "reset"]) byId(id).disabled = isRunning || isSilent;
  if (isRunning) {
    byId("progress").value = now.fraction;
    const left = now.seconds_left === null ? "" : `, about ${fixed(now.seconds_left, 0)} s left`;
    say("phase", `${now.phase}, ${Math.round(100 * now.fraction)} %${left}. ${now.message}`);
  }
  const answer = state.answer;
  if (changed("answered", answer) && answer) showAnswer(answer.message, answer.success, answer.lines.map(plain));
}

function showAnswer(message, success, lines = []) {
  byId("answer").textContent = message;
  byId("answer").className = success === null ? "" : success ? "good" : "bad";
  byId("lines").replaceChildren(...lines.map((line) => element("li", line)));
}

function showSensors(sensors, isUnknown) {
  const masked = state.masked || [];
  if (!changed("sensors", [sensors, masked, isUnknown, state.figure])) return;
  const moods = sensors.map(({ name, verdict, advice }) =>
    isUnknown ? "unknown" : masked.includes(name) ? "bad" : verdict !== "ok" || advice ? "doubted" : "good");
  const remarks = {};
  byId("list").replaceChildren(...sensors.map((own, index) => {
    const item = element("li"), small = svg("svg", { viewBox: "-9 -9 18 18", "aria-hidden": true });
    small.append(...mark(index, moods[index], 0, 0));
    const words = [own.verdict, ...(moods[index] === "bad" ? ["not used"] : [])].join(", ");
    const name = element("span", plain(own.name));
    name.append(" ", element("strong", isUnknown ? "not known" : words, moods[index]));
    item.append(small, name, element("span", isUnknown ? "" : `${fixed(own.rate, 0)} Hz`, "hz"));
    if (own.advice && !isUnknown) (remarks[own.advice] ??= []).push(index + 1);
    return item;
  }));
  byId("advice").replaceChildren(...Object.entries(remarks).map(([text, numbers]) => element("li", `${numbers.join(", ")}: ${text}`)));
  const figure = state.figure || { bones: [], places: {} }, parts = [svg("circle", { class: "head", cy: -174, r: 12 })];
  for (const side of [1, -1])
    for (const [[x1, y1], [x2, y2]] of figure.bones)
      parts.push(svg("line", { class: "bone", x1: 100 * side * x1, y1: -100 * y1, x2: 100 * side * x2, y2: -100 * y2 }));
  for (const [x, word] of [[-45, "right"], [45, "left"]]) parts.push(svg("text", { class: "side", x, y: -170 }, word));
  sensors.forEach((own, index) => {
    const place = figure.places[own.name];
    if (place) parts.push(...mark(index, moods[index], 100 * place[0], -100 * place[1]));
  });
  byId("body").replaceChildren(...parts);
}

function mark(index, mood, x, y) {
  const [shape, size] = SHAPES[mood], transform = `translate(${x} ${y})`;
  return [svg(shape, { class: `mark ${mood}`, transform, ...size }), svg("text", { transform }, index + 1)];
}

function element(tag, textContent = "", className = "") {
  return Object.assign(document.createElement(tag), { textContent, className });
}

function svg(name, attributes, text = "") {
  const part = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
  part.textContent = text;
  return part;
}

// curves

function showCharts(view) {
  if (changed("muscles", view.muscles)) {
    byId("charts").className = view.muscles.length > 3 ? "many" : "";
    byId("charts").replaceChildren(...view.muscles.map((name) => {
      const chart = element("div", "", "chart"), head = element("h3"), canvas = element("canvas");
      head.append(element("span", plain(name)), element("output"));
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `activation of ${plain(name)} over time`);
      canvas.top = 0;
      chart.append(head, canvas);
      return chart;
    }));
  }
  document.querySelectorAll(".chart output").forEach((output, index) => {
    const value = view.activation[index];
    output.textContent = value === null ? "not available" : `${fixed(value, 2)} ± ${fixed(view.deviation[index], 2)}`;
  });
}

function frame() {
  requestAnimationFrame(frame);
  if (performance.now() - drawnAt < FRAME_MS) return;
  drawnAt = performance.now();
  const passed = Math.min((performance.now() - edgeAt) / 1e3, 0.5) * (state.speed ?? 1);
  const now = held || { edge: edge + passed, ...curves };
  document.querySelectorAll("canvas").forEach((canvas, muscle, all) => draw(canvas, now, muscle, all.length));
}

function draw(canvas, now, muscle, muscles) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio))
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const span = Number(byId("span").value), from = now.edge - span, pen = canvas.getContext("2d");
  const rows = now.estimates.filter((row) => row[0] >= from - GAP_S), emg = now.emg.filter((row) => row[0] >= from - GAP_S);
  const estimate = rows.map((row) => [row[0], row[2 + muscle], row[2 + muscles + muscle]]);
  const raw = emg.map((row) => [row[0], row[1 + muscle]]), gain = state.rescaled?.[muscle] ? level(estimate) / level(raw) : 1;
  const measured = raw.map(([t, value]) => [t, value === null ? null : value * gain]);
  const needed = 1.05 * Math.max(0.05, ...measured.map((row) => row[1]), ...estimate.map((row) => row[1] + row[2]));
  if (needed > canvas.top || needed < 0.4 * canvas.top) canvas.top = TOPS.find((top) => top >= needed) || needed;
  const left = 38, right = width - 10, bottom = height - 22, up = (value) => bottom - (value / canvas.top) * (bottom - 8);
  const across = (instant) => left + ((instant - from) / span) * (right - left);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  grid(pen, span, canvas.top, { left, right, bottom, up, across, from });
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, right - left, bottom + 1);
  pen.clip();
  shade(pen, rows, now.edge, across, left, bottom);
  for (const piece of pieces(estimate)) {
    pen.beginPath();
    piece.forEach(([t, value, spread]) => pen.lineTo(across(t), up(value + spread)));
    piece.reverse().forEach(([t, value, spread]) => pen.lineTo(across(t), up(Math.max(value - spread, 0))));
    pen.fillStyle = colours.band;
    pen.fill();
  }
  line(pen, measured, across, up, colours.ink, 1.5, [5, 3]);
  line(pen, estimate, across, up, colours.estimate, 2.5, []);
  pen.restore();
}

function level(rows) { // what a tenth of the values exceed
  const values = rows.map((row) => row[1]).filter((value) => value !== null).sort((one, other) => one - other);
  return values[Math.floor(0.9 * values.length)] || 1;
}

function pieces(rows) { // without gaps
  const found = [];
  let last = -Infinity;
  for (const row of rows) {
    if (row[1] === null || Number.isNaN(row[1])) continue;
    if (row[0] - last > GAP_S) found.push([]);
    found[found.length - 1].push(row);
    last = row[0];
  }
  return found;
}

function line(pen, rows, across, up, colour, width, dash) {
  [pen.strokeStyle, pen.lineWidth, pen.lineJoin] = [colour, width, "round"];
  pen.setLineDash(dash);
  for (const piece of pieces(rows)) {
    pen.beginPath();
    piece.forEach(([t, value]) => pen.lineTo(across(t), up(value)));
    pen.stroke();
  }
  pen.setLineDash([]);
}

function grid(pen, span, top, { left, right, bottom, up, across, from }) {
  [pen.strokeStyle, pen.fillStyle, pen.lineWidth] = [colours.line, colours.soft, 1];
  pen.beginPath();
  pen.textAlign = "right";
  for (const value of [0, top / 2, top]) {
    pen.moveTo(left, up(value));
    pen.lineTo(right, up(value));
    pen.fillText(Number(value.toFixed(3)), left - 6, up(value) + 4);
  }
  pen.textAlign = "center";
  for (let ago = 0; ago <= span; ago += span / 6) {
    const x = across(from + span - ago);
    pen.moveTo(x, 8);
    pen.lineTo(x, bottom);
    pen.fillText(ago ? `−${ago} s` : "now", Math.min(x, right - 8), bottom + 16);
  }
  pen.stroke();
}

function shade(pen, rows, end, across, left, bottom) { // where the estimates were not to be relied on
  let start = 0;
  rows.forEach((row, index) => {
    if (index + 1 < rows.length && rows[index + 1][1] === row[1]) return;
    const status = row[1], [x1, x2] = [rows[start][0], rows[index + 1]?.[0] ?? Math.min(row[0] + GAP_S, end)].map(across);
    start = index + 1;
    if (status < 2) return;
    pen.save();
    pen.beginPath();
    pen.rect(x1, 0, x2 - x1, bottom);
    pen.clip();
    pen.beginPath();
    for (let x = x1 - bottom - ((x1 - across(0)) % 10); x < x2; x += 10) {
      pen.moveTo(x, bottom);
      pen.lineTo(x + bottom, 0);
    }
    const word = STATUSES[status] || `status ${status}`, colour = colours[(MEANINGS[word] || ["bad"])[0]];
    [pen.strokeStyle, pen.fillStyle, pen.lineWidth, pen.globalAlpha] = [colour, colour, 1.5, 0.3];
    pen.stroke();
    [pen.textAlign, pen.globalAlpha] = ["left", 1];
    if (x2 - Math.max(x1, left) > pen.measureText(word).width + 8) pen.fillText(word, Math.max(x1, left) + 4, 20);
    pen.restore();
  });
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "soft", "line", "estimate", "band", "doubted", "bad"]) colours[name] = style.getPropertyValue(`--${name}`);
}

// buttons

async function call(action, fields) {
  let refusal = "";
  try {
    const answer = await fetch(action, { method: "POST", body: JSON.stringify(fields) });
    if (!answer.ok) refusal = (await answer.json()).message;
  } catch {
    refusal = "imu-emg view does not answer; see whether it still runs";
  }
  if (refusal) showAnswer(refusal, false);
}

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  showAnswer("The node is called …", null);
  call("calibrate", { bag: byId("bag").value, subject: byId("subject").value, dry_run: byId("dry_run").checked });
});
for (const [id, action, fields] of [["cancel", "cancel", {}], ["undo", "reset", { previous: true }], ["reset", "reset", {}], ["again", "again", {}]])
  byId(id).addEventListener("click", () => call(action, fields));
byId("pause").addEventListener("click", () => call("pause", { paused: !state.paused }));
byId("speed").addEventListener("change", () => call("speed", { speed: Number(byId("speed").value) }));
byId("hold").addEventListener("click", () => {
  held = held ? null : { edge, estimates: [...curves.estimates], emg: [...curves.emg] };
  byId("hold").setAttribute("aria-pressed", String(Boolean(held)));
  say("hold", held ? "Go on" : "Hold");
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);
readColours();
poll();
frame();
