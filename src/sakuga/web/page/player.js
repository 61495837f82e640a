// Plays a clip and its painting in step, in a Compare of videos.

const HTML = `
  <button class="play" type="button">Play</button>
  <input class="seek" type="range" min="0" max="1000" value="0" aria-label="Time">
  <span class="time"></span>
  <button class="sound" type="button" aria-pressed="true">Sound</button>`;
const APART_S = 0.08; // from here on the clip is brought back to the painting's time

export class Player {
  /** Build the bar into an element. */
  constructor(compare, bar) {
    bar.innerHTML = HTML;
    const find = (name) => bar.querySelector(`.${name}`);
    [this.painted, this.clip] = [compare.painted, compare.photo]; // the painting leads, and has the sound
    this.offset = 0; // seconds into the clip at which the painting begins
    this.painted.muted = false;
    find("play").addEventListener("click", () => (this.painted.paused ? this.painted.play() : this.stop()));
    find("seek").addEventListener("input", () => {
      this.painted.currentTime = (find("seek").value / 1000) * this.painted.duration;
    });
    find("sound").addEventListener("click", () => {
      this.painted.muted = !this.painted.muted;
      find("sound").setAttribute("aria-pressed", String(!this.painted.muted));
    });
    const follow = () => (this.clip.currentTime = this.painted.currentTime + this.offset);
    const tell = () => {
      const { currentTime, duration } = this.painted;
      const text = `${clock(currentTime)} / ${clock(duration || 0)}`;
      find("time").textContent = text;
      find("seek").setAttribute("aria-valuetext", text);
      find("seek").value = Math.round((1000 * currentTime) / (duration || 1));
    };
    const on = (names, act) => names.forEach((name) => this.painted.addEventListener(name, act));
    on(["loadedmetadata", "seeking", "timeupdate"], tell);
    on(["loadedmetadata", "seeking", "pause"], follow);
    on(["timeupdate"], () => {
      if (Math.abs(this.painted.currentTime + this.offset - this.clip.currentTime) > APART_S) follow();
    });
    on(["play"], () => this.clip.play());
    on(["pause"], () => this.clip.pause());
    on(["play", "pause"], () => (find("play").textContent = this.painted.paused ? "Play" : "Pause"));
  }

  stop() {
    this.painted.pause();
  }
}

/** Seconds as people write them: 1:05.3 */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return `${Math.floor(tenths / 600)}:${rest}`;
}
