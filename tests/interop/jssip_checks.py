"""JsSIP (npm) in Debian's Chromium without a window. The page tells what happened by POST."""

import http.server
import json
import threading

from checks import check
from world import HOME, Process, Server, folder, until

PAGE = """<!doctype html><script src="/jssip.js"></script><script>
const told = (what, more) => fetch("/told", {method: "POST", body: JSON.stringify([what, more])});
addEventListener("error", event => told("error", event.message));
const [, url, user, password, port] = location.hash.split("|");
const phone = new JsSIP.UA({
  sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@127.0.0.1`,
  password, register_expires: 120});
phone.on("connected", () => told("connected"));
phone.on("registered", () => told("registered"));
phone.on("unregistered", () => told("unregistered"));
phone.on("registrationFailed", event => told("failed", event.cause));
phone.on("newMessage", event => event.originator === "remote" && told("text", event.request.body));
phone.on("newRTCSession", event => told("called", event.request.from.uri.user));
phone.start();
</script>"""


class Browser:
    """Chromium with one page that registers."""

    def __init__(self, server, url, user="ada", password="wonder"):
        self.told = told = []
        script = (HOME / "jssip.js").read_bytes()

        class Pages(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(script if self.path == "/jssip.js" else PAGE.encode())

            def do_POST(self):
                told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        own = folder()
        self.process = Process(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--ignore-certificate-errors", f"--user-data-dir={own}/profile",
             f"http://127.0.0.1:{pages.server_port}/#|{url}|{user}|{password}|{server.port}"],
            own / "log",
        )

    def says(self, what):
        return until(f"{what} in {self.told}",
                     lambda: [one for one in self.told if one[0] == what], 40)


def registers(url_of):
    server = Server([("ada", ""), ("ben", "")])
    browser = Browser(server, url_of(server))
    browser.says("registered")
    [binding] = server.bindings("ada")
    return server, browser, binding


@check("jssip")
def jssip_registers_over_websocket():
    """registers over WebSocket (digest)"""
    _, _, binding = registers(lambda server: f"ws://127.0.0.1:{server.ws}")
    assert binding["transport"] == "WS", binding


@check("jssip")
def jssip_registers_over_secure_websocket():
    """registers over secure WebSocket (digest)"""
    _, _, binding = registers(lambda server: f"wss://127.0.0.1:{server.wss}")
    assert binding["transport"] == "WSS", binding


@check("jssip")
def jssip_with_a_wrong_password_is_refused():
    """with a wrong password it is not registered"""
    server = Server([("ada", "")])
    browser = Browser(server, f"ws://127.0.0.1:{server.ws}", password="guess")
    browser.says("failed")
    assert server.bindings("ada") == []


@check("jssip")
def jssip_is_called():
    """is called along its WebSocket (its audio is for the browser issue)"""
    server, browser, _ = registers(lambda server: f"wss://127.0.0.1:{server.wss}")
    code, text = server.ask("POST", "conferences/desk/parties", {"target": f"sip:ada@127.0.0.1:{server.port}"})
    print(code, text)
    browser.says("called")
