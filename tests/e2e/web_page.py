"""usage: web_page.py URL SERVED PICK SCREENSHOTS

Uses the web page of the WebDAV door as a person does, in Chromium, and looks into the folder SERVED for what came of it. PICK: an empty
folder for files to upload. Exit status 0: everything was as it should be, and the browser had nothing to complain about.
"""
import os
import socket
import sys
import threading
import time
import urllib.parse
import zipfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

url, served, pick, screenshots = sys.argv[1:]
HOSTILE = '<img src=x onerror=alert(1)>.txt'


class Line:
    """What all connections go through, as an HTTP proxy does: it can be slow, and cut them."""

    def __init__(self, port):
        self.to, self.bytes_a_second, self.sockets = port, 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", self.to))
            self.sockets += [client, server]
            threading.Thread(target=self.carry, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(server, client, False), daemon=True).start()

    def carry(self, source, target, up):
        try:
            while data := source.recv(65536):
                if up and self.bytes_a_second:
                    time.sleep(len(data) / self.bytes_a_second)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self.end(source, target)

    @staticmethod
    def end(*sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()  # else what still comes would be taken, and nobody told

    def cut(self):
        self.end(*self.sockets)
        self.sockets.clear()


def path(*names):
    return os.path.join(served, *names)


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def read(name):
    with open(name, "rb") as file:
        return file.read()


def until(what, condition, seconds=15):
    end = time.monotonic() + seconds
    while True:
        try:
            got = condition()
        except Exception as error:  # an element that has just been replaced
            got, problem = None, error
        else:
            problem = None
        if got:
            return got
        if time.monotonic() > end:
            driver.save_screenshot(os.path.join(screenshots, "failed.png"))
            raise SystemExit(f"FAIL: {what}: not after {seconds} s ({problem}); status line: {status()!r}")
        time.sleep(0.03)


def find(selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def status():
    return driver.execute_script("return document.querySelector('#status')?.textContent ?? ''")


def names():
    return driver.execute_script("return Array.from(document.querySelectorAll('main tbody .name a'), (a) => a.textContent)")


def press(text, within="body"):
    """Presses the button of that text; the last, as a dialog is the last thing of the page."""
    script = ("return Array.from(document.querySelectorAll(arguments[0] + ' button'))"
              ".filter((b) => b.textContent === arguments[1] && !b.disabled).pop()")
    until(f"button {text!r}", lambda: driver.execute_script(script, within, text)).click()


def in_row(name, script):
    """Runs `script` with the row as `row`, once it is there."""
    until(f"row {name!r}", lambda: driver.execute_script(
        "const row = Array.from(document.querySelectorAll('main tbody tr')).find((r) => r.querySelector('.name').textContent === arguments[0]);"
        "if (!row) return false;" + script + "return true", name))


def focused():
    return driver.switch_to.active_element


def keys(*what):
    focused().send_keys(*what)


def focus(name):
    in_row(name, "row.focus();")


def keys_at(name, *what):
    """Keys for a row, which takes the focus with the first; from the start if the listing is replaced by then."""
    script = "return Array.from(document.querySelectorAll('main tbody tr')).find((r) => r.querySelector('.name').textContent === arguments[0])"

    def pressed():
        driver.execute_script(script, name).send_keys(*what)
        return True
    until(f"keys at {name!r}", pressed)


def pictured(name):
    driver.save_screenshot(os.path.join(screenshots, name + ".png"))


def go(name):
    in_row(name, "row.querySelector('.name a').click();")


def dialog():
    return until("dialog", lambda: find("dialog[open]"))


def dialog_by(act):
    """The dialog that `act` opens; tried again, as a listing that is replaced takes the focus with it, and the selection."""
    def opened():
        end = time.monotonic() + 2
        if not driver.find_elements(By.CSS_SELECTOR, "dialog[open]"):
            act()
        while time.monotonic() < end and not driver.find_elements(By.CSS_SELECTOR, "dialog[open]"):
            time.sleep(0.03)
        return find("dialog[open]")
    return until("dialog", opened)


def no_dialog():
    until("the dialog closes", lambda: not driver.find_elements(By.CSS_SELECTOR, "dialog[open]"))


def start():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking",
                     "--window-size=1200,900",
                     f"--proxy-server=127.0.0.1:{line.port}", "--proxy-bypass-list=<-loopback>", f"--user-data-dir={os.environ['HOME']}/chromium"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": pick})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def listing():
    until("listing", lambda: len(names()) == 9)
    assert names() == ["sub/", HOSTILE, "file1", "file2.md", "file10.txt", "page.html", "paper.pdf", "sound.wav", "tiny.png"], names()
    assert not driver.find_elements(By.CSS_SELECTOR, "main img"), "a name became an element"
    table = find("main table")
    assert table.get_attribute("role") == "grid" and find("th.name").get_attribute("aria-sort") == "ascending"
    pictured("listing")
    find("th.size button").click()
    assert names()[0] == "sub/" and names()[-1] == "file1", names()
    assert find("th.size").get_attribute("aria-sort") == "ascending"
    find("th.size button").click()
    assert names()[1] == "file1", names()
    find("th.name button").click()
    find("input[type=search]").send_keys("FILE")
    until("filter", lambda: names() == ["file1", "file2.md", "file10.txt", ])
    find("input[type=search]").send_keys(Keys.ESCAPE)
    until("no filter", lambda: len(names()) == 9)


def keyboard():
    focus("sub/")
    keys(Keys.ARROW_DOWN)
    keys(Keys.ARROW_DOWN)
    assert "file1" in focused().text, focused().text
    keys(Keys.SHIFT, Keys.ARROW_DOWN)
    assert len(driver.find_elements(By.CSS_SELECTOR, "tr[aria-selected=true]")) == 2
    keys(Keys.ESCAPE)
    keys(Keys.HOME)
    keys(Keys.ENTER)
    until("folder", lambda: driver.current_url == url + "sub/" and names() == ["inner.txt"])
    keys(Keys.BACKSPACE)
    until("folder above", lambda: driver.current_url == url and len(names()) == 9)
    assert "sub/" in focused().text, "the focus comes back"
    driver.back()
    until("back", lambda: names() == ["inner.txt"])
    find("nav li a").click()
    until("breadcrumb", lambda: len(names()) == 9)


def changes():
    press("New folder")
    dialog().find_element(By.CSS_SELECTOR, "input").send_keys("made/slash", Keys.ENTER)
    until("refused", lambda: "no slashes" in dialog().text)
    dialog().find_element(By.CSS_SELECTOR, "input").send_keys(Keys.CONTROL, "a")
    dialog().find_element(By.CSS_SELECTOR, "input").send_keys("made (1)", Keys.ENTER)
    until("mkdir", lambda: os.path.isdir(path("made (1)")))
    no_dialog()
    # Rename, onto a name that is taken: a question.
    def rename():
        keys_at("file1", Keys.F2)
    field = dialog_by(rename).find_element(By.CSS_SELECTOR, "input")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("file2.md", Keys.ENTER)
    until("question", lambda: "is there already" in dialog().text)
    press("Cancel")
    no_dialog()
    assert read(path("file1")) == b"one" * 1000
    until("reloaded", lambda: "file1" in names())
    field = dialog_by(rename).find_element(By.CSS_SELECTOR, "input")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("renamed #1 100%?.bin", Keys.ENTER)
    until("rename", lambda: os.path.exists(path("renamed #1 100%?.bin")) and not os.path.exists(path("file1")))
    # Copy into a folder twice: keep both.
    for wanted in ("file10.txt", "file10 (2).txt"):
        until("there", lambda: "file10.txt" in names())
        keys_at("file10.txt", Keys.CONTROL, "c")
        go("made (1)/")
        until("inside", lambda: driver.current_url.endswith("/made%20%281%29/"))
        press("Paste 1")
        if wanted != "file10.txt":
            dialog()
            press("Keep both")
        until("paste " + wanted, lambda: os.path.exists(path("made (1)", wanted)))
        no_dialog()
        find("nav li a").click()
    # Move a folder.
    until("top", lambda: "sub/" in names())
    keys_at("sub/", Keys.CONTROL, "x")
    go("made (1)/")
    until("inside", lambda: "file10 (2).txt" in names())
    keys(Keys.CONTROL, "v")
    until("move", lambda: os.path.exists(path("made (1)", "sub", "inner.txt")) and not os.path.exists(path("sub")))
    until("listed", lambda: "sub/" in names())
    # Delete two at once.
    def delete():
        keys_at("file10.txt", Keys.ESCAPE)
        keys_at("file10.txt", Keys.SPACE)
        keys_at("file10 (2).txt", Keys.SPACE)
        keys(Keys.DELETE)
    assert "2 files" in dialog_by(delete).text
    press("Delete", "dialog")
    until("delete", lambda: os.listdir(path("made (1)")) == ["sub"])
    no_dialog()
    find("nav li a").click()
    until("top", lambda: "made (1)/" in names())


def uploads():
    write(os.path.join(pick, "up.txt"), b"uploaded")
    big = os.urandom(9 << 20)
    write(os.path.join(pick, "big.bin"), big)
    find("#pick-files").send_keys(os.path.join(pick, "up.txt") + "\n" + os.path.join(pick, "big.bin"))
    until("uploads", lambda: os.path.exists(path("up.txt")) and os.path.exists(path("big.bin")))
    assert read(path("up.txt")) == b"uploaded" and read(path("big.bin")) == big
    until("listed", lambda: "up.txt" in names() and "big.bin" in names())
    assert abs(os.path.getmtime(path("up.txt")) - os.path.getmtime(os.path.join(pick, "up.txt"))) < 2
    # Again: the name is taken.
    write(os.path.join(pick, "up.txt"), b"uploaded again")
    find("#pick-files").send_keys(os.path.join(pick, "up.txt"))
    until("question", lambda: "is there already" in dialog().text)
    press("Replace")
    until("replaced", lambda: read(path("up.txt")) == b"uploaded again")
    no_dialog()
    # A folder.
    os.makedirs(os.path.join(pick, "tree", "deep"))
    for name in ("a", "deep/b"):
        write(os.path.join(pick, "tree", name), name.encode())
    find("#pick-folder").send_keys(os.path.join(pick, "tree"))
    until("folder", lambda: os.path.exists(path("tree", "a")) and os.path.exists(path("tree", "deep", "b")))
    assert read(path("tree", "deep", "b")) == b"deep/b"
    # Dropped.
    driver.execute_script("""
      const data = new DataTransfer();
      data.items.add(new File(['dropped text'], 'dropped.txt'));
      document.querySelector('main').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));""")
    until("drop", lambda: os.path.exists(path("dropped.txt")))
    until("listed", lambda: "dropped.txt" in names() and "tree/" in names())


def broken_uploads():
    """Paused, then resumed over a connection that breaks: the file comes whole, and until then there is none of that name."""
    data = os.urandom(16 << 20)
    write(os.path.join(pick, "slow.bin"), data)

    def sent():
        return float(find(".uploads li progress").get_property("value"))

    def asked():
        return driver.execute_script(
            "return performance.getEntriesByType('resource').filter((e) => e.initiatorType === 'fetch' && e.name.includes('upload.')).length")

    line.bytes_a_second = 6 << 20
    find("#pick-files").send_keys(os.path.join(pick, "slow.bin"))
    until("something is sent", lambda: sent() > 1 << 20)
    press("Pause", ".uploads")
    until("paused", lambda: "paused" in find(".uploads li").text)
    pictured("paused")
    assert not os.path.exists(path("slow.bin"))
    part = [name for name in os.listdir(served) if name.startswith(".~isthmus-")]
    assert len(part) == 1 and 0 < os.path.getsize(path(part[0])) < len(data), part
    before = sent()
    press("Resume", ".uploads")
    until("it goes on", lambda: sent() > before + (1 << 20))
    line.cut()
    until("it asks how far it is", lambda: asked() >= 2)
    assert not os.path.exists(path("slow.bin"))
    line.bytes_a_second = 0
    until("whole", lambda: os.path.exists(path("slow.bin")))
    assert read(path("slow.bin")) == data
    until("listed", lambda: "slow.bin" in names())
    errors = [m["message"] for m in driver.get_log("browser")]
    # Chromium sends a request anew by itself where a kept connection breaks; that has the wrong offset then.
    assert all("net::ERR_" in m or "status of 409" in m for m in errors), errors


def downloads():
    in_row("made (1)/", "row.querySelector('input').click();")
    press("Download")
    press("zip", "dialog")
    until("zip", lambda: os.path.exists(os.path.join(pick, "made (1).zip")))
    with zipfile.ZipFile(os.path.join(pick, "made (1).zip")) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["made (1)/", "made (1)/sub/", "made (1)/sub/inner.txt"], archive.namelist()
    no_dialog()


def previews():
    keys_at("tiny.png", Keys.ENTER)
    until("picture", lambda: driver.execute_script("return document.querySelector('dialog img')?.naturalWidth === 1"))
    press("Close")
    go("file2.md")
    until("markdown", lambda: find("dialog .markdown h1").text == "Title")
    assert find("dialog .markdown strong").text == "bold"
    assert not driver.find_elements(By.CSS_SELECTOR, "dialog .markdown script, dialog .markdown a[href^=javascript]")
    pictured("markdown")
    press("Close")
    go(HOSTILE)
    until("text", lambda: find("dialog pre").text == "hostile")
    press("Next")
    until("next", lambda: find("dialog h2").text != HOSTILE)
    press("Close")
    go("paper.pdf")
    until("viewer", lambda: any(t["url"].startswith("chrome-extension:") for t in driver.execute_cdp_cmd("Target.getTargets", {})["targetInfos"]))
    pictured("pdf")
    press("Close")
    go("sound.wav")
    until("sound", lambda: driver.execute_script("return document.querySelector('dialog audio')?.readyState >= 1"))
    press("Close")
    no_dialog()


def editing():
    write(path("notes.txt"), b"first\r\nsecond\r\n")
    driver.refresh()
    keys_at("notes.txt", "e")
    area = until("editor", lambda: find("dialog textarea"))
    assert area.get_property("value") == "first\nsecond\n"
    area.send_keys(Keys.CONTROL, Keys.END)
    area.send_keys("third")
    area.send_keys(Keys.CONTROL, "s")
    until("saved", lambda: read(path("notes.txt")) == b"first\r\nsecond\r\nthird")
    until("told", lambda: "Saved." in dialog().text)
    # Somebody else writes it.
    write(path("notes.txt"), b"theirs")
    area.send_keys("!")
    press("Save")
    until("conflict", lambda: "Somebody else has changed" in driver.find_elements(By.CSS_SELECTOR, "dialog[open]")[-1].text)
    pictured("conflict")
    assert read(path("notes.txt")) == b"theirs"
    press("Save mine as a copy")
    until("copy", lambda: os.path.exists(path("notes (2).txt")) and read(path("notes (2).txt")) == b"first\r\nsecond\r\nthird!")
    assert read(path("notes.txt")) == b"theirs"
    press("Save")
    until("conflict", lambda: len(driver.find_elements(By.CSS_SELECTOR, "dialog[open]")) == 2)
    press("Overwrite theirs")
    until("mine", lambda: read(path("notes.txt")) == b"first\r\nsecond\r\nthird!")
    until("told", lambda: "Saved." in dialog().text)
    press("Close")
    no_dialog()


def theme():
    before = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    press("Dark or light")
    after = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert before != after
    pictured("dark")


def status():
    """What the server tells of itself, and that it goes on telling."""
    driver.find_element(By.LINK_TEXT, "Status").click()
    rows = "//caption[text()='Requests']/..//td[text()='GET']/following-sibling::td[1]"

    def answered():
        return int(driver.find_element(By.XPATH, rows).text.replace(",", ""))

    until("figures", lambda: driver.find_elements(By.XPATH, rows))
    before = answered()
    until("new figures", lambda: answered() > before)
    assert driver.find_elements(By.CSS_SELECTOR, "svg rect.bar") and driver.find_elements(By.CSS_SELECTOR, "svg polyline.requests")
    until("commands", lambda: "net use * " + url in driver.find_element(By.TAG_NAME, "pre").text)
    assert "Chrome" in driver.find_element(By.XPATH, "//caption[text()='Connected']/..").text
    pictured("status")
    driver.find_element(By.LINK_TEXT, "Files").click()
    until("files", lambda: driver.find_elements(By.LINK_TEXT, "Status"))


def sandbox():
    """A page among the files must not act as this site."""
    log()
    driver.get(url + "page.html")
    assert driver.title == "", f"the script of a user's page ran: {driver.title}"
    assert driver.execute_script("return window.origin") == "null"
    messages = driver.get_log("browser")
    assert any("sandboxed" in m["message"] for m in messages), messages
    driver.get(url)


def log():
    """Nothing but the answers of status 412, which the page asks for."""
    bad = [m for m in driver.get_log("browser") if "status of 412" not in m["message"]]
    assert not bad, bad


write(path("file1"), b"one" * 1000)
write(path("file2.md"), b"# Title\n\nsome **bold** [bad](javascript:alert(1)) <script>alert(1)</script>\n\n- a\n- b\n")
write(path("file10.txt"), b"ten")
write(path(HOSTILE), b"hostile")
write(path("page.html"), b"<!DOCTYPE html><title></title><script>document.title = 'ran'</script>")
write(path("paper.pdf"), b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
      b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
      b"4 0 obj<</Length 44>>stream\nBT /F 36 Tf 40 90 Td (a PDF file) Tj ET       \nendstream endobj\n"
      b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
write(path("sound.wav"), b"RIFF$\x08\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\x08\0\0" + b"\x80" * 2048)
write(path("tiny.png"), bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"))
os.mkdir(path("sub"))
write(path("sub", "inner.txt"), b"inner")

line = Line(urllib.parse.urlsplit(url).port)
driver = start()
try:
    driver.get(url)
    for step in (listing, keyboard, changes, uploads, broken_uploads, downloads, previews, editing, theme, status):
        began = time.monotonic()
        step()
        log()
        print(f"{step.__name__}: {time.monotonic() - began:.1f} s", flush=True)
    sandbox()
finally:
    driver.quit()
