// The camera, painted as fast as this machine can, at a size that keeps it fluid.

import { engine } from "./engine.js";
import { fillSelect } from "./style-picker.js";

const SIDES = [160, 224, 320, 448, 640, 896]; // pixels of the longer side, from quick to fine
const SLOW_MS = 140; // a frame that takes longer is painted smaller from then on
const QUICK_MS = 55; // one that takes less, larger
const PATIENCE = 6; // frames in a row before the size changes

const find = (id) => document.getElementById(id);

export function openCamera(styles, firstStyle, takePhoto) {
  fillSelect(find("camera-style"), styles, firstStyle);
  const view = new CameraView(takePhoto);
  return { stop: () => view.stop() };
}

class CameraView {
  constructor(takePhoto) {
    this.stream = null;
    this.starting = null; // an object of its own for each start, until the camera is there
    this.wanted = { facingMode: "user" }; // which camera
    this.level = 2;
    this.video = find("camera-video");
    this.canvas = find("camera-canvas");
    find("camera-start").addEventListener("click", () => (this.stream ? this.stop() : this.start()));
    find("camera-switch").addEventListener("click", () => this.switch());
    find("camera-snap").addEventListener("click", async () => {
      const photo = await this.#still();
      this.stop();
      takePhoto(photo);
    });
  }

  async start() {
    if (this.starting !== null || this.stream !== null) return; // one at a time
    const start = (this.starting = {});
    this.#tell("Waiting for the camera…");
    let stream = null;
    try {
      if (!navigator.mediaDevices) throw new Error("it needs https, or a page from this computer");
      stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, ...this.wanted },
      });
      if (this.starting === start) {
        this.video.srcObject = stream;
        await this.video.play();
      }
    } catch (error) {
      release(stream);
      if (this.starting !== start) return;
      this.starting = null;
      this.#tell(`The camera cannot be used: ${error.message}`);
      return;
    }
    if (this.starting !== start) {
      release(stream); // stopped, or left, while it was waited for
      return;
    }
    this.starting = null;
    this.stream = stream;
    this.#tell("Painting the first frame…");
    find("camera-start").textContent = "Stop the camera";
    find("camera-snap").disabled = false;
    this.#offerSwitch();
    this.#run(this.stream);
  }

  async #offerSwitch() {
    const several = (await cameras()).length > 1;
    find("camera-switch").hidden = this.stream === null || !several;
  }

  /** From the front to the back of a phone; elsewhere from each camera to the next. */
  async switch() {
    const { deviceId, facingMode } = this.stream.getVideoTracks()[0].getSettings();
    const all = await cameras();
    const next = all[(all.findIndex((camera) => camera.deviceId === deviceId) + 1) % all.length];
    if (facingMode) this.wanted = { facingMode: facingMode === "user" ? "environment" : "user" };
    else this.wanted = { deviceId: { exact: next.deviceId } };
    this.stop(); // phones open one camera at a time
    await this.start();
    find("camera-switch").focus();
  }

  stop() {
    if (this.stream === null && this.starting === null) return;
    release(this.stream);
    this.stream = this.starting = null;
    this.video.srcObject = null;
    find("camera-start").textContent = "Start the camera";
    find("camera-snap").disabled = true;
    find("camera-switch").hidden = true;
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    find("camera-fps").hidden = true;
    this.#tell("The camera is off.");
  }

  #tell(sentence) {
    find("camera-hint").textContent = sentence ?? "";
    find("camera-hint").hidden = sentence === null;
  }

  /** Paint one frame after the other, never two at once. */
  async #run(stream) {
    const source = document.createElement("canvas");
    const screen = this.canvas.getContext("2d");
    let usual_ms = null;
    let streak = 0;
    while (this.stream === stream) {
      const began = performance.now();
      this.#draw(source, SIDES[this.level]);
      let anime;
      try {
        anime = await engine.paintFrame(source, find("camera-style").value);
      } catch (error) {
        this.stop();
        this.#tell(`It cannot be painted: ${error.message}`);
        return;
      }
      if (this.stream !== stream) return;
      if (this.canvas.width !== anime.width || this.canvas.height !== anime.height) {
        [this.canvas.width, this.canvas.height] = [anime.width, anime.height];
      }
      screen.drawImage(anime, 0, 0);
      this.#tell(null);
      anime.close();
      const took_ms = performance.now() - began;
      usual_ms = usual_ms === null ? took_ms : usual_ms + 0.2 * (took_ms - usual_ms);
      find("camera-fps").hidden = false;
      find("camera-fps").textContent = `${(1000 / usual_ms).toFixed(1)} fps · ${this.canvas.width} × ${this.canvas.height}`;
      streak = took_ms > SLOW_MS ? Math.min(streak, 0) - 1 : took_ms < QUICK_MS ? Math.max(streak, 0) + 1 : 0;
      if (Math.abs(streak) >= PATIENCE) {
        this.level = Math.min(SIDES.length - 1, Math.max(0, this.level + Math.sign(streak)));
        streak = 0;
        usual_ms = null;
      }
      await new Promise(requestAnimationFrame);
    }
  }

  /** Draw what the camera sees, its longer side so many pixels at most. */
  #draw(canvas, side) {
    const { videoWidth: width, videoHeight: height } = this.video;
    const scale = Math.min(1, side / Math.max(width, height));
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
  }

  async #still() {
    const canvas = document.createElement("canvas");
    this.#draw(canvas, Infinity);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    return new File([blob], "camera.png", { type: "image/png" });
  }
}

/** All cameras; browsers tell of them once one is allowed. */
async function cameras() {
  return (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
}

/** Let go of the camera; its light goes out. */
function release(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
