// The page is a client like any other: it follows /api/v1/events, folds what it hears into views,
// and asks for changes by the same routes. Text goes in by textContent only.
"use strict";

const TICKER_LINES_MAX = 200;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;
// A browser does not tell that the far end of a socket is gone without a word (a server that lost
// its power, a laptop that slept). So often the page asks, and so long it waits for an answer.
const ASKED_EVERY_MS = 20_000;
const ANSWER_MS_MAX = 5_000;
// Beyond so many conferences the page does not ask each one for its earlier recordings.
const RECORDINGS_ASKED_MAX = 50;

const byId = (id) => document.getElementById(id);
const template = (id) => byId(id).content.firstElementChild.cloneNode(true);
const url = (...parts) => "/api/v1/" + parts.map(encodeURIComponent).join("/");
const clock = (ms) => new Date(ms).toLocaleTimeString();

/** Cards by conference id: { view, root, rows, recordings: names by id }. */
const cards = new Map();

/** How audio fails to run both ways. */
const ONE_WAY = {
  nothing_comes: "no audio from it",
  only_silence: "only silence from it",
  nothing_arrives: "hears nothing",
};

// ---------------------------------------------------------------- asking

function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { box.hidden = true; }, 6_000);
}

// The token, if the server wants one: kept until this tab is closed, and never in an address.
const TOKEN = "convoke-token";
const token = () => sessionStorage.getItem(TOKEN);
const authorization = () => (token() ? { Authorization: "Bearer " + token() } : {});

/** Shows that the server wants a token, or another one. */
function wantToken() {
  byId("wrong-token").hidden = !token();
  byId("sign-in").hidden = false;
  byId("sign-out").hidden = true;
}

/** Fetches with the token. */
async function send(path, options = {}) {
  const headers = { ...options.headers, ...authorization() };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) wantToken();
  return answer;
}

/** Asks for a change; true if it was accepted. */
async function ask(method, path, body) {
  const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    const answer = await send(path, { method, headers, body: JSON.stringify(body) });
    if (answer.ok) return true;
    const problem = await answer.json();
    toast(problem.detail ?? problem.title ?? String(answer.status));
  } catch {
    toast("The server cannot be reached.");
  }
  return false;
}

/** Does what a form is for, once: a second press while it is being done does nothing more. */
function onSubmit(form, act) {
  form.onsubmit = async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.disabled) return;
    button.disabled = true;
    try {
      await act(form.elements);
    } finally {
      button.disabled = false;
    }
  };
}

async function read(path, options) {
  const answer = await send(path, options);
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

// ---------------------------------------------------------------- the fold

/** What model::ConferenceView::begin does. */
const begin = (event) => ({
  id: event.conference, name: event.name, profile: event.profile, seq: event.seq,
  started_ms: event.at_ms, parties: [],
});

/** What model::ConferenceView::apply does. */
function apply(view, event) {
  if (event.seq <= view.seq) return;
  view.seq = event.seq;
  const party = view.parties.find((one) => one.id === event.party);
  const change = (what) => { if (party) Object.assign(party, what); };
  switch (event.type) {
    case "conversation.ended": view.ended_ms = event.at_ms; break;
    case "participant.dialling":
      view.parties.push({
        id: event.party, address: event.address, role: event.role, state: "dialling",
        muted: false, talking: false,
      });
      break;
    case "participant.ringing": change({ state: "ringing" }); break;
    case "participant.joined": {
      const joined = {
        id: event.party, display_name: event.display_name, address: event.address,
        state: "connected", muted: party?.muted ?? false, talking: false, codec: event.codec,
        joined_ms: event.at_ms, role: event.role,
      };
      if (party) Object.assign(party, joined); else view.parties.push(joined);
      break;
    }
    case "participant.left":
      view.parties = view.parties.filter((one) => one.id !== event.party);
      break;
    case "participant.replaced":
      change({ display_name: event.display_name, address: event.address, codec: event.codec });
      break;
    case "participant.codec_changed": change({ codec: event.codec }); break;
    case "participant.held": change({ state: "held" }); break;
    case "participant.resumed": change({ state: "connected" }); break;
    case "participant.muted": change({ muted: true }); break;
    case "participant.unmuted": change({ muted: false }); break;
    case "participant.silenced": change({ silenced: true }); break;
    case "participant.unsilenced": change({ silenced: false }); break;
    case "participant.role_changed":
      change({ role: event.role });
      if (event.role !== "supervisor") change({ supervises: undefined });
      break;
    case "consult.started": change({ consults: event.with }); break;
    case "consult.merged":
    case "consult.ended": change({ consults: undefined }); break;
    case "pair.started":
    case "pair.ended": {
      const pair = view.parties.filter((one) => [event.party, event.with].includes(one.id));
      for (const one of pair) {
        const other = one.id === event.party ? event.with : event.party;
        one.paired_with = event.type === "pair.started" ? other : undefined;
      }
      break;
    }
    case "whisper.started": change({ whispers_to: event.to }); break;
    case "whisper.ended": change({ whispers_to: undefined }); break;
    case "supervision.mode_changed":
      change({ supervises: { beside: event.beside, mode: event.mode } });
      break;
    case "participant.talking": change({ talking: event.talking }); break;
    case "participant.quality": change({ quality: event.quality }); break;
    case "media.one_way": change({ one_way: event.way }); break;
    case "recording.started":
      view.recording = { id: event.recording, started_ms: event.at_ms, tracks: [] };
      break;
    case "recording.track_started":
      // A snapshot leaves an empty list out.
      if (view.recording) {
        (view.recording.tracks ??= []).push({ id: event.recording, track: event.track });
      }
      break;
    case "recording.stopped":
    case "recording.failed":
    case "recording.recovered":
      if (view.recording?.id === event.recording) delete view.recording;
      else if (view.recording) {
        const others = view.recording.tracks?.filter((one) => one.id !== event.recording);
        view.recording.tracks = others;
      }
      break;
  }
  view.parties.sort((one, other) => (other.role === "customer") - (one.role === "customer"));
}

// ---------------------------------------------------------------- showing

/** A button says what it will do, and to whom: so it is not "pressed" as well. */
function press(button, pressed, [on, off], whom) {
  button.classList.toggle("on", pressed);
  label(button, pressed ? on : off, whom);
}

function label(button, text, whom) {
  button.textContent = text;
  button.setAttribute("aria-label", `${text} ${whom}`);
}

function makeRow(card, id) {
  const row = template("party-template");
  const path = (...rest) => url("conferences", card.view.id, "parties", id, ...rest);
  const party = () => card.view.parties.find((one) => one.id === id);
  row.querySelector(".mute").onclick = () => ask("POST", path(party()?.muted ? "unmute" : "mute"));
  row.querySelector(".hold").onclick =
    () => ask("POST", path(party()?.state === "held" ? "resume" : "hold"));
  row.querySelector(".remove").onclick = () => ask("DELETE", path());
  return row;
}

function showParty(row, party) {
  const lamp = row.querySelector(".lamp");
  lamp.classList.toggle("off", !party.talking);
  lamp.title = lamp.firstElementChild.textContent = party.talking ? "talking" : "";
  const who = party.display_name ?? party.address;
  row.querySelector("b").textContent = who;
  row.querySelector(".address").textContent = party.display_name ? party.address : "";
  const state = [party.state];
  if (party.muted) state.push("muted");
  if (party.one_way) state.push(ONE_WAY[party.one_way]);
  row.querySelector(".state").textContent = state.join(", ");
  row.querySelector(".codec").textContent = party.codec ?? "";
  const inside = party.state === "connected" || party.state === "held";
  const [mute, hold] = [row.querySelector(".mute"), row.querySelector(".hold")];
  press(mute, party.muted, ["Unmute", "Mute"], who);
  press(hold, party.state === "held", ["Resume", "Hold"], who);
  label(row.querySelector(".remove"), "Remove", who);
  mute.disabled = hold.disabled = !inside;
}

function makeCard(view) {
  const root = template("conference-template");
  const card = { view, root, rows: new Map(), recordings: new Map() };
  const path = (...rest) => url("conferences", view.id, ...rest);
  root.querySelector("h2").textContent = view.name;
  label(root.querySelector(".end"), "End for all", view.name);
  label(root.querySelector(".invite button"), "Invite", "into " + view.name);
  root.querySelector(".since").textContent = "since " + clock(view.started_ms);
  root.querySelector(".end").onclick = () => {
    if (confirm(`End ${view.name} for all?`)) ask("DELETE", path());
  };
  root.querySelector(".record").onclick =
    () => ask("PUT", path("recording"), { on: !card.view.recording });
  onSubmit(root.querySelector(".invite"), async ({ target }) => {
    if (await ask("POST", path("parties"), { target: target.value.trim() })) target.value = "";
  });
  byId("conferences").append(root);
  cards.set(view.id, card);
  return card;
}

/** Shows a card as its view is. */
function showCard(card) {
  const body = card.root.querySelector("tbody");
  const present = new Set(card.view.parties.map((party) => party.id));
  for (const [id, row] of card.rows) {
    if (!present.has(id)) { row.remove(); card.rows.delete(id); }
  }
  for (const [at, party] of card.view.parties.entries()) {
    if (!card.rows.has(party.id)) card.rows.set(party.id, makeRow(card, party.id));
    const row = card.rows.get(party.id);
    if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
    showParty(row, party);
  }
  const [record, running] = [card.root.querySelector(".record"), Boolean(card.view.recording)];
  press(record, running, ["Stop recording", "Record"], card.view.name);
  noteRecordings(card);
  listRecordings(card.root.querySelector(".recordings"), card.recordings);
}

/** A link cannot carry a token: the file is fetched and handed over. */
async function download(path, name) {
  const answer = await send(path).catch(() => undefined);
  if (!answer?.ok) return toast(`${name} cannot be had.`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Has a link's file fetched with the token, if there is one. */
function fetchWithToken(link, name) {
  link.onclick = (event) => {
    if (!token()) return;
    event.preventDefault();
    download(link.href, name);
  };
}

/** What a recording is called: its id, or whose voice a track holds. */
function recordingName(id, track, parties) {
  if (!track) return "Recording " + id;
  const party = parties.find((one) => one.id === track.party);
  const who = party?.display_name ?? party?.address ?? track.party;
  return track.kind === "whisper" ? `${who}, whispering` : who;
}

/** Keeps the names of what is recorded while those whose voices it holds are there. */
function noteRecordings({ view, recordings }) {
  const running = view.recording;
  if (!running) return;
  for (const { id, track } of [running, ...(running.tracks ?? [])]) {
    if (!recordings.has(id)) recordings.set(id, recordingName(id, track, view.parties));
  }
}

function listRecordings(list, recordings) {
  if (list.childElementCount === recordings.size) return;
  list.replaceChildren(...[...recordings].map(([id, name]) => {
    const link = document.createElement("a");
    link.href = url("recordings", id);
    link.download = id + ".wav";
    link.textContent = name;
    fetchWithToken(link, link.download);
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
}

/** The recordings that a conference's kept events tell of, by id. */
async function recordingsOf(id) {
  const events = await read(url("conferences", id, "events"));
  const parties = events.filter((event) => event.type === "participant.joined")
    .map((event) => ({ ...event, id: event.party }));
  return new Map(events
    .filter(({ type }) => type === "recording.started" || type === "recording.track_started")
    .map(({ recording, track }) => [recording, recordingName(recording, track, parties)]));
}

function removeCard(id) {
  cards.get(id)?.root.remove();
  cards.delete(id);
  showCount();
}

function showCount() {
  let people = 0;
  for (const { view } of cards.values()) people += view.parties.length;
  byId("empty").hidden = cards.size > 0;
  byId("count").textContent =
    cards.size ? `${cards.size} live, ${people} ${people === 1 ? "party" : "parties"}` : "";
}

/** One line of the ticker. Who talks is shown by the lamps; it would drown the rest. */
function tick(event, view) {
  const { type, at_ms, conference, seq, by, cause, ...rest } = event;
  if (type === "participant.talking") return;
  const party = view?.parties.find((one) => one.id === rest.party);
  if (party) rest.party = party.display_name ?? party.address;
  if (rest.quality) {
    const { mos, far } = rest.quality;
    rest.quality = `MOS ${mos ?? "–"} from it, ${far?.mos ?? "–"} to it`;
  }
  const line = document.createElement("li");
  const said = (value) => (typeof value === "object" ? JSON.stringify(value) : value);
  const words = Object.entries(rest).map(([key, value]) => `${key} ${said(value)}`).join(", ");
  for (const text of [clock(at_ms), view?.name ?? conference, `${type} ${words}`]) {
    const cell = document.createElement("span");
    cell.textContent = text;
    line.append(cell);
  }
  const ticker = byId("ticker");
  ticker.prepend(line);
  while (ticker.childElementCount > TICKER_LINES_MAX) ticker.lastElementChild.remove();
}

// ---------------------------------------------------------------- following

/** Shows what there is. A card that was there stays: somebody may be typing into it. */
async function showSnapshot(conferences) {
  const live = new Set(conferences.map((view) => view.id));
  for (const id of [...cards.keys()]) if (!live.has(id)) removeCard(id);
  for (const view of conferences) {
    const card = cards.get(view.id) ?? makeCard(view);
    card.view = view;
    showCard(card);
  }
  showCount();
  for (const view of conferences.slice(0, RECORDINGS_ASKED_MAX)) {
    try {
      const recordings = await recordingsOf(view.id);
      const card = cards.get(view.id);
      if (!card) continue;
      card.recordings = new Map([...recordings, ...card.recordings]);
      showCard(card);
    } catch {
      // It ended meanwhile: then there is no card to complete.
    }
  }
}

function showEvent(event) {
  let card = cards.get(event.conference);
  if (!card && event.type === "conversation.created") card = makeCard(begin(event));
  tick(event, card?.view);
  if (!card) return;
  apply(card.view, event);
  noteRecordings(card);
  if (card.view.ended_ms !== undefined) removeCard(event.conference);
  else showSoon(card);
}

/** Cards to show at the next frame: a burst of events is shown once. */
const stale = new Set();

function showSoon(card) {
  if (stale.size === 0) requestAnimationFrame(showStale);
  stale.add(card);
}

function showStale() {
  for (const card of stale) showCard(card);
  stale.clear();
  showCount();
}

function setLink(up, text) {
  byId("link").classList.toggle("off", !up);
  byId("link").textContent = text;
}

function follow() {
  clearTimeout(follow.timer);
  // Of two that follow each would tell the other's events once more.
  follow.socket?.close();
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const protocols = token() ? ["convoke", "bearer." + token()] : ["convoke"];
  const socket = new WebSocket(scheme + location.host + "/api/v1/events", protocols);
  follow.socket = socket;
  socket.onmessage = ({ data }) => {
    if (follow.socket !== socket) return;
    const message = JSON.parse(data);
    if (message.type === "snapshot") {
      follow.retryMs = RETRY_MS_MIN;
      setLink(true, "live");
      showSnapshot(message.conferences);
    } else {
      showEvent(message);
    }
  };
  socket.onclose = () => lose(socket);
}

/** A socket is lost, or is taken to be: another one is tried after a while. */
async function lose(socket) {
  if (follow.socket !== socket) return;
  follow.socket = undefined;
  setLink(false, "connecting");
  // A browser does not tell why a handshake was refused; any route does.
  await read("/api/v1/about", { signal: AbortSignal.timeout(ANSWER_MS_MAX) }).catch(() => {});
  if (follow.socket || !byId("sign-in").hidden) return;
  const waitMs = follow.retryMs;
  follow.retryMs = Math.min(waitMs * 2, RETRY_MS_MAX);
  follow.timer = setTimeout(follow, waitMs);
}

/** Whether the server still is at the other end of the socket. */
async function askWhetherItLives() {
  const socket = follow.socket;
  if (socket?.readyState !== WebSocket.OPEN) return;
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch("/api/v1/about", { headers: authorization(), signal }).catch(() => {});
  if (answer) return;
  lose(socket);
  socket.close();
}

function signIn(entered) {
  sessionStorage.setItem(TOKEN, entered);
  byId("sign-in").hidden = true;
  byId("sign-out").hidden = false;
  come();
}

function signOut() {
  sessionStorage.removeItem(TOKEN);
  location.reload();
}

/** Fills the list of ended conferences when somebody opens it. */
async function showEnded() {
  const list = byId("ended").querySelector("ul");
  if (!byId("ended").open) return;
  const all = await read("/api/v1/conferences?ended=true");
  const ended = all.filter((view) => view.ended_ms !== undefined).reverse();
  list.replaceChildren();
  if (!ended.length) list.textContent = "None.";
  for (const view of ended) {
    const item = document.createElement("li");
    item.textContent = `${view.name}, ${clock(view.started_ms)} to ${clock(view.ended_ms)} `;
    const recordings = document.createElement("ul");
    recordings.className = "recordings";
    item.append(recordings);
    list.append(item);
    recordingsOf(view.id).then((of) => listRecordings(recordings, of), () => {});
  }
}

async function start() {
  onSubmit(byId("call"), async ({ target, conference }) => {
    const path = url("conferences", conference.value.trim(), "parties");
    if (await ask("POST", path, { target: target.value.trim() })) target.value = "";
  });
  byId("ended").ontoggle = () => showEnded().catch(() => toast("The server cannot be reached."));
  byId("sign-in").onsubmit = (event) => {
    event.preventDefault();
    const field = event.target.elements.token;
    signIn(field.value.trim());
    field.value = "";
  };
  fetchWithToken(byId("api"), "openapi.json");
  byId("sign-out").onclick = signOut;
  byId("sign-out").hidden = !token();
  setInterval(askWhetherItLives, ASKED_EVERY_MS);
  await come();
}

/** Begins to follow, if the server lets us. */
async function come() {
  const about = await read("/api/v1/about").catch(() => ({}));
  if (!byId("sign-in").hidden) return;
  follow.retryMs = RETRY_MS_MIN;
  follow();
  const host = about.dial ?? location.hostname;
  byId("dial").textContent = `sip:standup@${host}`;
  byId("version").textContent = about.version ? `Convoke ${about.version}` : "";
}

start();
