// Before and after, pictures or videos: on top of each other with a divider to drag and a zoom, or
// side by side.

const still = (name, what) => `<img class="${name}" alt="${what}" draggable="false">`;
const moving = (name, what) => `<video class="${name}" aria-label="${what}" muted playsinline></video>`;

const html = (layer, before) => `
  <div class="viewport" tabindex="-1">
    <div class="layers">
      ${layer("photo", `The ${before}`)}
      ${still("under", "")}
      <div class="painted-side">
        ${layer("painted", "The painting")}
        ${still("kept", "")}
      </div>
    </div>
  </div>
  <input class="split" type="range" min="0" max="1000" value="500"
    aria-label="Divider: ${before} to its left, painting to its right">
  <div class="knob"></div>
  <span class="tag left" aria-hidden="true">${before}</span>
  <span class="tag right" aria-hidden="true">Anime</span>
  <div class="tools">
    <button class="sides" type="button" aria-pressed="false">Side by side</button>
    <button class="zoom" type="button" aria-pressed="false">100 %</button>
  </div>
  <p class="busy" hidden></p>`;

const GRIP = 24; // pixels around the divider where it is dragged though the picture is zoomed
const CLOSEST = 8; // pixels of the screen for one of the picture
const DOUBLE = 2.5; // times: what a double click does
const STEP = 1.25; // times: what a key does

export class Compare {
  /** Build it into an element; `videos`: it shows those, not pictures. */
  constructor(place, { videos = false, before = "photo" } = {}) {
    this.box = document.createElement("div");
    this.box.className = "compare waiting";
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", `The ${before} and its painting`);
    this.box.innerHTML = html(videos ? moving : still, before);
    place.append(this.box);
    const find = (name) => this.box.querySelector(`.${name}`);
    this.viewport = find("viewport");
    this.layers = find("layers");
    this.photo = find("photo");
    this.under = find("under"); // the photo behind a painting beside it that is not at full strength
    this.side = find("painted-side");
    this.painted = find("painted");
    this.kept = find("kept");
    this.split = find("split");
    this.busy = find("busy");
    this.zoom = find("zoom");
    this.tools = find("tools");
    this.sides = find("sides");
    this.strength = 1;
    this.keep = 0;
    this.subject = null; // what is shown; another one begins unzoomed
    this.scale = 1; // of the size that fits
    this.left = this.top = 0; // of the layers in the viewport, pixels
    this.pointers = new Map(); // those that are down, by their ids
    this.split.addEventListener("input", () => this.#place());
    this.zoom.addEventListener("click", () => this.#zoomTo(this.scale > 1 ? 1 : this.#full()));
    this.sides.addEventListener("click", () => this.#setBeside(!this.beside));
    this.box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.box.addEventListener("dblclick", (event) => {
      if (!this.tools.contains(event.target)) this.#zoomTo(this.scale > 1 ? 1 : Math.max(DOUBLE, this.#full()), event);
    });
    this.viewport.addEventListener("keydown", (event) => this.#key(event));
    this.box.addEventListener("pointerdown", (event) => this.#down(event));
    this.box.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      this.box.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    }
    new ResizeObserver(() => this.#panTo(this.left, this.top)).observe(this.box);
  }

  /**
   * Show a picture: `photo`, `painted` and `kept` are addresses; null: not there yet. `busy` says why;
   * `draft`: the painting is a small one, enlarged until the real one is there.
   */
  show({ subject, photo, painted, kept, width, height, busy, failed, draft }) {
    this.width = width;
    this.height = height;
    this.box.style.setProperty("--ratio", width / height);
    set(this.photo, photo);
    set(this.under, this.photo.tagName === "IMG" ? photo : null);
    set(this.painted, painted);
    set(this.kept, kept);
    this.box.classList.toggle("waiting", painted === null);
    this.box.classList.toggle("draft", draft);
    this.box.classList.toggle("failed", failed);
    this.busy.hidden = !busy;
    if (this.busy.textContent !== (busy ?? "")) this.busy.textContent = busy ?? "";
    if (subject !== this.subject) {
      this.subject = subject;
      this.scale = 1;
      this.left = this.top = 0;
    }
    this.#blend();
    this.#panTo(this.left, this.top);
  }

  /** Blend, without painting again: strength and keep are from 0 to 1. */
  blend(strength, keep) {
    this.strength = strength;
    this.keep = keep;
    this.#blend();
  }

  get beside() {
    return this.box.classList.contains("beside");
  }

  #setBeside(beside) {
    this.box.classList.toggle("beside", beside);
    this.sides.setAttribute("aria-pressed", String(beside));
    this.#zoomTo(1);
  }

  /** Zoom in or out by keys; 0: all of it. */
  zoomBy(steps) {
    this.#zoomTo(steps === 0 ? 1 : this.scale * STEP ** steps);
  }

  // The browser's compositor does on the screen what blending.js does for the file.
  #blend() {
    this.side.style.opacity = this.painted.hidden ? 0 : this.strength;
    this.kept.style.opacity = this.keep;
  }

  /** The scale at which one pixel of the picture is one of the screen. */
  #full() {
    return Math.max(1, this.width / devicePixelRatio / Math.max(1, this.viewport.clientWidth));
  }

  /** Zoom, and leave what is under the pointer, or in the middle, where it is. */
  #zoomTo(scale, at = null) {
    const box = this.viewport.getBoundingClientRect();
    const x = at ? at.clientX - box.left : box.width / 2;
    const y = at ? at.clientY - box.top : box.height / 2;
    const closest = this.beside ? 1 : Math.max(DOUBLE, this.#full() * CLOSEST);
    const wanted = Math.min(Math.max(1, scale), closest);
    const change = wanted / this.scale;
    this.scale = wanted;
    this.#panTo(x - (x - this.left) * change, y - (y - this.top) * change);
  }

  /** Move, but never so that the picture leaves an edge of its frame. */
  #panTo(left, top) {
    const { clientWidth: width, clientHeight: height } = this.viewport;
    this.left = Math.min(0, Math.max(left, width * (1 - this.scale)));
    this.top = Math.min(0, Math.max(top, height * (1 - this.scale)));
    this.layers.style.transform = `translate(${this.left}px, ${this.top}px) scale(${this.scale})`;
    const zoomed = this.scale > 1;
    this.box.classList.toggle("zoomed", zoomed);
    this.sides.hidden = this.painted.hidden || zoomed;
    this.zoom.hidden = this.painted.hidden || this.beside || (!zoomed && this.#full() <= 1);
    this.zoom.setAttribute("aria-pressed", String(zoomed));
    this.zoom.textContent = zoomed ? "Fit" : "100 %";
    this.viewport.tabIndex = zoomed ? 0 : -1;
    if (zoomed) this.viewport.setAttribute("aria-label", "The picture, enlarged; arrow keys move it");
    else this.viewport.removeAttribute("aria-label");
    this.#place();
  }

  #place() {
    const share = this.split.value / 1000;
    this.box.style.setProperty("--split", `${share * 100}%`);
    const left = (share * this.viewport.clientWidth - this.left) / this.scale;
    this.side.style.clipPath = this.beside ? "none" : `inset(0 0 0 ${left}px)`;
    this.split.setAttribute("aria-valuetext", `${Math.round((1 - share) * 100)} % painting`);
  }

  #wheel(event) {
    if (this.photo.hidden || this.beside) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.#zoomTo(this.scale * Math.exp((-event.deltaY * lines) / 400), event);
  }

  #key(event) {
    const step = this.viewport.clientWidth / 10;
    const [x, y] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (x === 0 && y === 0) return;
    event.preventDefault();
    event.stopPropagation();
    this.#panTo(this.left + x * step, this.top + y * step);
  }

  /** One pointer drags the divider, or the zoomed picture; two pinch. */
  #down(event) {
    if (this.tools.contains(event.target) || this.beside || event.button !== 0) return;
    const box = this.viewport.getBoundingClientRect();
    const x = event.clientX - box.left;
    const near = Math.abs(x - (this.split.value / 1000) * box.width) < GRIP;
    const divides = !this.box.classList.contains("waiting") && (this.scale === 1 || near);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, divides });
    if (event.pointerType === "mouse") event.preventDefault(); // selects nothing
    this.box.setPointerCapture(event.pointerId);
    if (this.pointers.size === 1 && divides) this.#divide(x / box.width);
  }

  #move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (pointer === undefined) return;
    const others = [...this.pointers.values()].filter((other) => other !== pointer);
    const now = { x: event.clientX, y: event.clientY };
    if (others.length === 1) {
      const distance = (one) => Math.hypot(one.x - others[0].x, one.y - others[0].y);
      const middle = { clientX: (now.x + others[0].x) / 2, clientY: (now.y + others[0].y) / 2 };
      this.#zoomTo((this.scale * distance(now)) / Math.max(1, distance(pointer)), middle);
      this.#panTo(this.left + (now.x - pointer.x) / 2, this.top + (now.y - pointer.y) / 2);
    } else if (others.length === 0 && pointer.divides) {
      const box = this.viewport.getBoundingClientRect();
      this.#divide((now.x - box.left) / box.width);
    } else if (others.length === 0) this.#panTo(this.left + now.x - pointer.x, this.top + now.y - pointer.y);
    Object.assign(pointer, now);
  }

  #divide(share) {
    this.split.value = Math.round(Math.min(1, Math.max(0, share)) * 1000);
    this.#place();
  }
}

/** Let a picture or video show what is at an address; null: nothing. */
function set(layer, address) {
  layer.hidden = address === null;
  if (address !== null) {
    const whole = new URL(address, location).href;
    if (layer.src !== whole) layer.src = whole;
  } else if (layer.hasAttribute("src")) {
    layer.removeAttribute("src");
    layer.load?.(); // a video lets go of its file
  }
}
