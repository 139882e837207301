"""A Chromium, the servers it talks to, and the app on a page of theirs."""

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PATIENCE = 30_000  # ms; the machine may be busy


def find_chromium():
    """Its path; without one, tests are skipped, and fail under CI."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on the path: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path


def write_notebook(path, *sources):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


def free_port():
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        return asking.getsockname()[1]


def own_environment(folder):
    """Jupyter's settings from an empty folder, the tests' modules on the path; JupyterLab asks about no news."""
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false"}))
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
           "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return os.environ | {name: str(folder / value) for name, value in own.items()} | {"PYTHONPATH": paths}


@contextlib.contextmanager
def serving(folder, *command):
    """A server while the block runs: ``command`` with ``--port``; gives its address before it answers."""
    port = free_port()
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen([sys.executable, "-m", *command, f"--port={port}"], cwd=folder, stdout=log,
                                  stderr=subprocess.STDOUT, env=own_environment(folder))
    try:
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def wait_for(address, folder):
    """Return when a server answers."""
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("localhost", int(address.rpartition(":")[2])), timeout=5).close()
            return
        time.sleep(0.1)
    pytest.fail(f"no server at {address}: {(folder / 'server.log').read_text()[-2000:]}")


class AppPage:
    """The app as a user has it. Places are shares of the picture's width and height."""

    def __init__(self, page):
        self.page, self.photo, self.errors = page, page.locator(".petseg-photo").first, []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.photo.wait_for(timeout=PATIENCE)
        page.set_default_timeout(PATIENCE / 4)
        self.result, self.message = page.locator(".petseg-result").first, page.get_by_role("alert").first

    def start_over(self):
        """To the user's own photo without prompts, by way of another one; whatever a failed test has left."""
        self.press("+ Click in")
        self.press("Mask")
        photos = self.page.locator(".petseg-app select").first
        photos.select_option("Chelsea, a cat")
        self.page.get_by_label("451 by 300 pixels").wait_for()
        photos.select_option(index=0)
        self.page.get_by_label("1024 by 512 pixels").wait_for()

    def slide_opacity(self, *keys):
        for key in keys:
            self.page.locator(".petseg-app [role=slider]").first.press(key)

    def click(self, x, y, **options):
        box = self.photo.bounding_box()
        self.photo.click(position={"x": x * box["width"], "y": y * box["height"]}, **options)

    def tap(self, x, y):
        self.photo.scroll_into_view_if_needed()
        box = self.photo.bounding_box()
        self.page.touchscreen.tap(box["x"] + x * box["width"], box["y"] + y * box["height"])

    def press(self, name):
        """A button; what its icon adds to its name stands before it."""
        self.page.get_by_role("button", name=re.compile(rf"(^|\W){re.escape(name)}$")).first.click()

    def write(self, text):
        field = self.page.get_by_placeholder("or write").first
        field.fill(text)
        field.press("Enter")

    def upload(self, name, content):
        with self.page.expect_file_chooser() as chooser:
            self.page.locator(".petseg-upload").first.click()
        chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": content})

    def drop(self, name, content):
        handle = self.page.evaluate_handle("""([name, content]) => {
            const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
            const dropped = new DataTransfer();
            dropped.items.add(new File([bytes], name));
            return dropped;
        }""", [name, base64.b64encode(content).decode()])
        self.photo.dispatch_event("drop", {"dataTransfer": handle})

    def sees(self, x, y, colour, picture=".petseg-photo"):
        """Wait until the picture has a colour at a place, give or take what JPEG does."""
        self.page.wait_for_function(
            """([picture, x, y, colour]) => {
                const canvas = document.querySelector(picture);
                const place = [Math.floor(x * canvas.width), Math.floor(y * canvas.height)];
                const found = canvas.getContext("2d").getImageData(...place, 1, 1).data;
                window.found = `${picture} ${x} ${y}: ${found}, expected ${colour}`;
                return colour.every((value, i) => Math.abs(value - found[i]) <= 4);
            }""", arg=[picture, x, y, [int(value) for value in colour]])

    def reads(self, *words):
        """Wait until the line below has these words."""
        self.page.wait_for_function(
            "([line, words]) => words.every(word => line.textContent.includes(word))",
            arg=[self.result.element_handle(), list(words)])
