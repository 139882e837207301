// The photo that is clicked on, and beside it what is selected. All coordinates that leave here are pixels of the photo
// as shown: the canvas itself has the screen's own resolution, so that marks and edges are sharp.

const REST = 0.6; // of the opacity: what is not selected stays easier to see (pictures.py has the same)
const PART = 4_000_000; // bytes of a dropped file in one message; Jupyter's servers take 10 MB and no more
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function element(parent, tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  parent.appendChild(made);
  return made;
}

function sheet(size) {
  const canvas = new OffscreenCanvas(size[0], size[1]);
  return [canvas, canvas.getContext("2d")];
}

// One colour where the region is, or (keep = "source-out") where it is not.
function tint(size, region, colour, keep) {
  const [canvas, pen] = sheet(size);
  pen.drawImage(region, 0, 0, ...size);
  pen.globalCompositeOperation = keep;
  pen.fillStyle = colour;
  pen.fillRect(0, 0, ...size);
  return canvas;
}

// A line along the region's edge: the region pushed a little to all sides, without the region.
function edge(size, region, width) {
  const [canvas, pen] = sheet(size);
  for (let turn = 0; turn < 16; turn++) {
    const angle = (turn * Math.PI) / 8;
    pen.drawImage(region, width * Math.cos(angle), width * Math.sin(angle), ...size);
  }
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = "white";
  pen.fillRect(0, 0, ...size);
  pen.globalCompositeOperation = "destination-out";
  pen.drawImage(region, 0, 0, ...size);
  return canvas;
}

// In is a plus on white, out a minus on black: told apart without colours.
function drawMark(pen, x, y, inside, unit) {
  pen.beginPath();
  pen.arc(x, y, 8 * unit, 0, 2 * Math.PI);
  pen.fillStyle = inside ? "white" : "black";
  pen.strokeStyle = inside ? "black" : "white";
  pen.lineWidth = 2 * unit;
  pen.fill();
  pen.stroke();
  pen.beginPath();
  pen.moveTo(x - 4 * unit, y);
  pen.lineTo(x + 4 * unit, y);
  if (inside) {
    pen.moveTo(x, y - 4 * unit);
    pen.lineTo(x, y + 4 * unit);
  }
  pen.stroke();
}

function drawCross(pen, x, y, unit) {
  for (const [colour, width] of [["black", 4], ["white", 2]]) {
    pen.beginPath();
    pen.strokeStyle = colour;
    pen.lineWidth = width * unit;
    for (const [dx, dy] of Object.values(KEYS)) {
      pen.moveTo(x + 4 * unit * dx, y + 4 * unit * dy);
      pen.lineTo(x + 16 * unit * dx, y + 16 * unit * dy);
    }
    pen.stroke();
  }
}

async function decode(bytes) {
  return bytes.byteLength ? createImageBitmap(new Blob([bytes])) : null;
}

function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "image/png" }));
  link.download = name;
  document.body.appendChild(link); // some browsers follow only a link that is on the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // the browser reads it after the click has returned
}

function render({ model, el }) {
  const stage = element(el, "div", "petseg-stage");
  stage.dataset.lmSuppressShortcuts = "true"; // else JupyterLab takes Enter and the arrows for its cells
  const photoFigure = element(stage, "figure", "petseg-figure");
  const photo = element(photoFigure, "canvas", "petseg-photo");
  const hint = element(photoFigure, "div", "petseg-hint", "Click on the pet, or drop a photo here");
  element(photoFigure, "figcaption", "petseg-caption", "Photo");
  const viewFigure = element(stage, "figure", "petseg-figure");
  const view = element(viewFigure, "canvas", "petseg-view");
  const caption = element(viewFigure, "figcaption", "petseg-caption");
  photo.tabIndex = 0;
  photo.setAttribute("role", "application");
  view.setAttribute("role", "img");

  let bitmaps = { photo: null, region: null };
  let decoded = { photo: null, region: null }; // the bytes that they were made of
  let cross = null; // where the keyboard points, in pixels as shown
  const listening = new AbortController();

  function fit(canvas) {
    const box = canvas.getBoundingClientRect();
    const unit = window.devicePixelRatio || 1;
    const wanted = [Math.max(1, Math.round(box.width * unit)), Math.max(1, Math.round(box.height * unit))];
    if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, ...wanted);
    return [pen, wanted, unit];
  }

  function paintPhoto() {
    const [pen, size, unit] = fit(photo);
    const { region } = bitmaps;
    const [colours, label, opacity] = ["colours", "label", "opacity"].map((name) => model.get(name));
    const scale = size[0] / model.get("size")[0];
    pen.drawImage(bitmaps.photo, 0, 0, ...size);
    if (region) {
      pen.globalAlpha = opacity;
      pen.drawImage(tint(size, region, colours[label], "source-in"), 0, 0);
      if (label !== "background") {
        pen.globalAlpha = opacity * REST;
        pen.drawImage(tint(size, region, colours.background, "source-out"), 0, 0);
      }
      pen.globalAlpha = Math.min(1, 2 * opacity);
      pen.drawImage(edge(size, region, 1.5 * unit), 0, 0);
      pen.globalAlpha = 1;
    }
    for (const [x, y, inside] of model.get("clicks")) drawMark(pen, x * scale, y * scale, inside, unit);
    if (cross) drawCross(pen, cross[0] * scale, cross[1] * scale, unit);
  }

  function paintView() {
    const [pen, size] = fit(view);
    const { region } = bitmaps;
    const colours = model.get("colours");
    const cutout = model.get("view") === "cut-out";
    caption.textContent = cutout ? "Cut-out" : "Mask";
    view.classList.toggle("petseg-cutout", cutout && Boolean(region));
    view.setAttribute("aria-label", region ? `${caption.textContent} of the ${model.get("label")}` : "Nothing selected");
    if (!region) return;
    if (cutout) {
      pen.drawImage(region, 0, 0, ...size);
      pen.globalCompositeOperation = "source-in";
      pen.drawImage(bitmaps.photo, 0, 0, ...size);
      pen.globalCompositeOperation = "source-over";
    } else {
      pen.fillStyle = colours.background;
      pen.fillRect(0, 0, ...size);
      pen.drawImage(tint(size, region, colours[model.get("label")], "source-in"), 0, 0);
    }
  }

  function paint() {
    if (!bitmaps.photo || !photo.isConnected) return;
    paintPhoto();
    paintView();
  }

  let latest = 0;
  async function load() {
    const mine = ++latest;
    const [width, height] = model.get("size");
    const bytes = { photo: model.get("photo"), region: model.get("region") };
    const renewed = Object.keys(bytes).filter((name) => bytes[name] !== decoded[name]);
    const made = await Promise.all(renewed.map((name) => decode(bytes[name])));
    if (mine !== latest) {
      for (const bitmap of made) bitmap?.close();
      return; // a newer answer came while this one was decoded
    }
    renewed.forEach((name, place) => {
      bitmaps[name]?.close(); // a photo's pixels are not to wait for the garbage collector
      [bitmaps[name], decoded[name]] = [made[place], bytes[name]];
    });
    if (renewed.includes("photo")) cross = null;
    stage.style.setProperty("--petseg-ratio", width / height);
    hint.hidden = Boolean(bitmaps.region);
    photo.setAttribute("aria-label", `Photo, ${width} by ${height} pixels. Arrow keys move a cross, Enter selects what ` +
      "is under it, Shift+Enter takes it out, Control+Z undoes.");
    paint();
  }

  let asked = false;
  function loadOnce() { // one answer changes several traits, which come one by one
    if (!asked) queueMicrotask(() => ((asked = false), load()));
    asked = true;
  }

  function send(x, y, event) {
    const inside = [x, y].map((value, axis) => Math.min(model.get("size")[axis], Math.max(0, value)));
    model.send({ kind: "click", x: inside[0], y: inside[1], shift: event.shiftKey, serial: model.get("serial") });
  }

  async function sendFile(file) {
    const content = await file.arrayBuffer();
    const parts = Math.max(1, Math.ceil(content.byteLength / PART));
    for (let part = 0; part < parts; part++) {
      const bytes = content.slice(part * PART, (part + 1) * PART);
      model.send({ kind: "file", name: file.name, part, parts }, undefined, [bytes]);
    }
  }

  function press(event) {
    const [width, height] = model.get("size");
    if (event.key in KEYS) {
      const step = Math.max(1, Math.max(width, height) / 100) * (event.shiftKey ? 10 : 1);
      const [dx, dy] = KEYS[event.key];
      const [x, y] = cross ?? [width / 2, height / 2];
      cross = [Math.min(width, Math.max(0, x + step * dx)), Math.min(height, Math.max(0, y + step * dy))];
    } else if (event.key === "Enter") {
      cross ??= [width / 2, height / 2];
      if (!event.repeat) send(...cross, event);
    } else if (event.key === "Backspace"
        || (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey)) {
      model.send({ kind: "undo", serial: model.get("serial") });
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    paint();
  }

  const listen = (target, kind, handler) => target.addEventListener(kind, handler, { signal: listening.signal });
  // A tap, a pen and a mouse all end in "click"; a finger that scrolls does not.
  listen(photo, "click", (event) => {
    const box = photo.getBoundingClientRect();
    const [width, height] = model.get("size");
    cross = null;
    send(((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height, event);
  });
  listen(photo, "keydown", press);
  listen(photo, "focus", () => {
    if (!photo.matches(":focus-visible")) return; // focused by the mouse, which shows where it is by itself
    cross ??= model.get("size").map((side) => side / 2);
    paint();
  });
  listen(photo, "blur", () => {
    cross = null;
    paint();
  });
  listen(stage, "dragover", (event) => {
    event.preventDefault(); // or nothing may be dropped here
    stage.classList.add("petseg-dropping");
  });
  listen(stage, "dragleave", () => stage.classList.remove("petseg-dropping"));
  listen(stage, "drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    stage.classList.remove("petseg-dropping");
    if (event.dataTransfer.files.length) sendFile(event.dataTransfer.files[0]);
  });
  listen(stage, "mousedown", (event) => event.stopPropagation()); // JupyterLab takes shift-clicks for its cells

  model.on("change:photo change:region change:label change:clicks", loadOnce);
  model.on("change:opacity change:view", paint);
  model.on("change:busy", () => photo.classList.toggle("petseg-busy", model.get("busy")));
  const resizing = new ResizeObserver(paint);
  resizing.observe(photo);
  resizing.observe(view);
  load();

  return () => {
    listening.abort();
    resizing.disconnect();
  };
}

// Once for each app, however often it is shown.
function initialize({ model }) {
  model.on("msg:custom", (message, buffers) => {
    if (message.kind === "save") save(message.name, buffers[0]);
  });
}

export default { initialize, render };
