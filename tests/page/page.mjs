// The page as somebody at a desk has it, driven by the DevTools protocol. Each line is a sentence
// that is true or not.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";

const [binary] = process.argv.slice(2);
const [HTTP, SIP, DEVTOOLS] = ["127.0.0.1:18431", "127.0.0.1:15431", 19431];
const PATIENCE_MS = 30_000;
const folder = mkdtempSync(tmpdir() + "/convoke-page-");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, look) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(50)) {
    const found = await Promise.resolve().then(look).catch(() => undefined);
    if (found) return found;
  }
  throw new Error("never: " + what);
}

let failed = 0;
function say(sentence, isTrue, more = "") {
  console.log(isTrue ? "ok    " : "FAILED", sentence, isTrue ? "" : more);
  failed += isTrue ? 0 : 1;
}

function serve() {
  const words = ["--sip", SIP, "--http", HTTP, "--data", folder + "/data"];
  return spawn(binary, [...words, "--rtp-ports", "26000-26400", "--log", "error"]);
}

function browse() {
  const words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"];
  const own = [`--remote-debugging-port=${DEVTOOLS}`, `--user-data-dir=${folder}/profile`];
  return spawn("chromium", [...words, ...own, "about:blank"], { stdio: "ignore" });
}

function api(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  return fetch(`http://${HTTP}/api/v1/${path}`, { method, headers, body: JSON.stringify(body) });
}

/** A page of the browser: `call` asks DevTools, `js` has a script carried out there. */
async function tab(errors) {
  const list = `http://127.0.0.1:${DEVTOOLS}/json`;
  const found = await until("a browser", async () =>
    (await (await fetch(list)).json()).find((one) => one.type === "page"));
  const socket = new WebSocket(found.webSocketDebuggerUrl);
  await new Promise((resolve) => { socket.onopen = resolve; });
  const asked = new Map();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    asked.get(message.id)?.(message.result);
    if (message.method === "Runtime.exceptionThrown") errors.push(data);
  };
  const call = (method, params = {}) => new Promise((resolve) => {
    asked.set(asked.size + 1, resolve);
    socket.send(JSON.stringify({ id: asked.size, method, params }));
  });
  const js = async (expression) => {
    const words = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await call("Runtime.evaluate", words);
    if (exceptionDetails) throw new Error(exceptionDetails.exception.description);
    return result.value;
  };
  for (const domain of ["Runtime", "Page", "Accessibility"]) await call(domain + ".enable");
  return { call, js };
}

async function names({ call, js }) {
  const { nodes } = await call("Accessibility.getFullAXTree");
  const buttons = nodes.filter((node) => node.role?.value === "button" && !node.ignored)
    .map((node) => node.name?.value);
  const told = JSON.stringify(buttons);
  say("each button has a name of its own", new Set(buttons).size === buttons.length, told);
  say("a row's button says for whom it is", buttons.some((one) => /^Remove .*@/.test(one)), told);
  const both = await js(`document.querySelector("[aria-pressed]") !== null`);
  say("no button says what it will do and that it is pressed", !both);
  const lamp = await js(`document.querySelector("tbody .lamp").title`);
  say("a lamp that is off does not say that somebody talks", lamp === "", lamp);
  say("no markup is made of an address", !(await js(`window.hacked ?? false`)));
}

const isLive = ({ js }) => js(`byId("link").textContent === "live"`);

async function comesBack(page) {
  const { js } = page;
  const field = `document.querySelector(".invite input")`;
  await js(`${field}.focus(); ${field}.value = "sip:half"; follow.socket.close()`);
  await until("a lost socket", async () => !(await isLive(page)));
  await until("a new one", () => isLive(page));
  await sleep(300);
  const typed = await js(`${field}.value`);
  say("what somebody types is there after the socket was lost", typed === "sip:half", typed);
  say("the focus is where it was", await js(`document.activeElement === ${field}`));
}

async function onceEach({ js }) {
  const parties = async () => (await (await api("GET", "conferences/desk/parties")).json()).length;
  const before = await parties();
  await js(`(() => {
    const form = document.querySelector(".invite");
    form.elements.target.value = "sip:twice@127.0.0.1:9";
    form.requestSubmit();
    form.requestSubmit();
  })()`);
  await sleep(800);
  const more = (await parties()) - before;
  say("two presses are one call", more === 1, more);
  await js(`come()`);
  await sleep(800);
  const lines = () => js(`byId("ticker").childElementCount`);
  const [known] = [await lines(), await api("POST", "conferences/desk/messages", { text: "x" })];
  await sleep(500);
  const told = (await lines()) - known;
  say("who signs in anew is told each event once", told === 1, told);
}

async function serverGoes(page, server) {
  server.kill("SIGKILL");
  await until("a lost socket", async () => !(await isLive(page)));
  const next = serve();
  await until("a new one", () => isLive(page));
  await sleep(300);
  const cards = await page.js(`document.querySelectorAll(".conference").length`);
  say("what was before the server was killed is gone", cards === 0, cards);
  next.kill("SIGSTOP");
  const begun = Date.now();
  await until("a silent server", async () => !(await isLive(page)));
  say(`a server that says nothing more is noticed (${Date.now() - begun} ms)`, true);
  next.kill("SIGCONT");
  await until("its socket", () => isLive(page));
  say("and found again", true);
  return next;
}

let [server, browser] = [serve(), browse()];
try {
  await until("a server", () => api("GET", "about"));
  const errors = [];
  const page = await tab(errors);
  await page.call("Page.navigate", { url: `http://${HTTP}/` });
  await until("a socket", () => isLive(page));
  const evil = encodeURIComponent("<img src=x onerror=window.hacked=1>");
  await api("POST", "conferences/desk/parties", { target: `sip:${evil}@127.0.0.1:9` });
  await until("a row", () => page.js(`document.querySelectorAll("tbody tr").length === 1`));
  await names(page);
  await comesBack(page);
  await onceEach(page);
  server = await serverGoes(page, server);
  say("no script has failed", errors.length === 0, errors.join("\n"));
} catch (error) {
  say(String(error), false);
} finally {
  server.kill("SIGKILL");
  browser.kill("SIGKILL");
}
await sleep(300);
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
